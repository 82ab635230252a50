"""SocialNetwork, the campaign: every fault at several services and severities, so that neither tells the other."""

from experiments.campaign.cells import cells, compounds, controls
from pytest_anomod import anomalies
from pytest_anomod.faults import (
    CpuContention,
    HttpAbort,
    HttpDelay,
    KillService,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    PauseService,
    PoolExhaustion,
    RedisMemoryLimit,
    StopService,
)

SYSTEM = "social_network"

BUSY = ("home-timeline-service", "post-storage-service", "social-graph-service", "user-timeline-service")
"""Services that every reading user passes through."""
WRITING = ("compose-post-service", "media-service", "text-service", "unique-id-service", "user-service")
"""Services that only new posts pass through."""
STORED = ("post-storage-service", "social-graph-service", "url-shorten-service", "user-timeline-service")
"""Services with connections to a database."""
CACHES = ("home-timeline-redis", "post-storage-memcached", "social-graph-redis", "user-timeline-redis")
CALLERS = {
    "compose-post-service": "unique-id-service",
    "home-timeline-service": "post-storage-service",
    "text-service": "user-mention-service",
    "user-timeline-service": "post-storage-service",
}
"""Services, and one that each calls."""

HANDLERS = {
    "media-service": (
        "media_service:MediaHandler.compose_media",
        "ComposeMedia",
        {"req_id": 1, "media_types": [], "media_ids": []},
    ),
    "post-storage-service": (
        "post_storage_service:PostStorageHandler.read_posts",
        "ReadPosts",
        {"req_id": 1, "post_ids": []},
    ),
    "text-service": ("text_service:TextHandler.compose_text", "ComposeText", {"req_id": 1, "text": "hello"}),
    "unique-id-service": (
        "unique_id_service:UniqueIdHandler.compose_unique_id",
        "ComposeUniqueId",
        {"req_id": 1, "post_type": 0},
    ),
}

MATRIX = [
    (CpuContention(), BUSY),
    (NetworkDelay(), (*BUSY, "text-service")),
    (NetworkLoss(), BUSY),
    (NetworkBandwidth(), BUSY),
    (HttpAbort(), (*BUSY, "text-service")),
    (HttpDelay(), (*BUSY, "user-service")),
    (KillService(), WRITING),
    (PauseService(), WRITING),
    (StopService(), WRITING),
    (PoolExhaustion(), STORED),
    (RedisMemoryLimit(), CACHES),
]


TOGETHER = [
    ((HttpDelay(), "home-timeline-service", 3), (KillService(), "media-service", 5)),
    ((HttpDelay(), "user-timeline-service", 3), (CpuContention(), "user-timeline-service", 4)),
    ((HttpAbort(), "social-graph-service", 3), (NetworkDelay(), "text-service", 3)),
    ((PoolExhaustion(), "post-storage-service", 5), (HttpAbort(), "user-service", 3)),
]
IN_TURN = [
    ((StopService(), "user-service", 5), (HttpDelay(), "post-storage-service", 3)),
    ((HttpAbort(), "text-service", 5), (HttpDelay(), "text-service", 4)),
    ((NetworkDelay(), "user-timeline-service", 4), (KillService(), "unique-id-service", 5)),
]


@anomalies(cells(SYSTEM, MATRIX, CALLERS, HANDLERS))
def test_cell(case):
    """The fault was in and over, whatever users felt of it."""
    case.run()


@anomalies(compounds(SYSTEM, TOGETHER, IN_TURN))
def test_compound(case):
    """Two faults: each was in and over by itself."""
    case.run()


@anomalies(controls(SYSTEM))
def test_control(case):
    """Nothing is broken: what a detector says here is a false alarm."""
    case.run()
