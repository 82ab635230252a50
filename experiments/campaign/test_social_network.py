"""SocialNetwork, the campaign: every fault at several services and severities, so that neither tells the other."""

from experiments.campaign.cells import cells, compounds, controls, crossed, gray
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

READING = ("home-timeline-service", "post-storage-service", "user-timeline-service")
"""Services that most reading users pass through: nine in ten of all."""
WRITING = ("compose-post-service", "social-graph-service", "text-service")
"""Services that only new posts pass through."""
STORED = ("post-storage-service", "social-graph-service", "url-shorten-service", "user-timeline-service")
"""Services with connections to a database, two of each kind."""
CACHES = ("home-timeline-redis", "post-storage-memcached", "social-graph-redis", "user-timeline-redis")
CALLERS = {
    "compose-post-service": "unique-id-service",
    "home-timeline-service": "post-storage-service",
    "text-service": "user-mention-service",
    "user-timeline-service": "post-storage-service",
}
"""Services, and one that each calls."""

HANDLERS = {
    "home-timeline-service": (
        "home_timeline_service:HomeTimelineHandler.read_home_timeline",
        "ReadHomeTimeline",
        {"req_id": 1, "user_id": 1, "start": 0, "stop": 10},
    ),
    # the end of a timeline, which most readers ask for: they have no posts there
    "post-storage-service": (
        "post_storage_service:PostStorageHandler.read_posts",
        "ReadPosts",
        {"req_id": 1, "post_ids": []},
    ),
    "social-graph-service": (
        "social_graph_service:SocialGraphHandler.get_followers",
        "GetFollowers",
        {"req_id": 1, "user_id": 1},
    ),
    # without URLs, which would be stored
    "text-service": ("text_service:TextHandler.compose_text", "ComposeText", {"req_id": 1, "text": "@username_1"}),
}
"""Of services a function, and a request that takes a way through it that users take."""

FAULTS = [
    CpuContention(),
    NetworkLoss(),
    NetworkDelay(),
    NetworkBandwidth(),
    HttpAbort(),
    HttpDelay(),
    KillService(),
    PauseService(),
    StopService(),
]
MATRIX = [*crossed(FAULTS, (READING, WRITING), 2), (PoolExhaustion(), STORED), (RedisMemoryLimit(), CACHES)]

NOW_AND_THEN = HttpAbort(percent=100, on_s=1, off_s=4)
GRAY = [
    ("http_abort-home-timeline-service-now-and-then", NOW_AND_THEN, "home-timeline-service"),
    ("http_abort-compose-post-service-now-and-then", NOW_AND_THEN, "compose-post-service"),
    ("http_abort-post-storage-service-route", HttpAbort(percent=100, path="/StorePost"), "post-storage-service"),
    ("http_delay-user-timeline-service-route", HttpDelay(path="/ReadUserTimeline"), "user-timeline-service"),
]
"""One second in five, or one of the target's routes."""

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


@anomalies(gray(SYSTEM, GRAY))
def test_gray(case):
    """The fault is in at times only, or for one route."""
    case.run()


@anomalies(controls(SYSTEM))
def test_control(case):
    """Nothing is broken: what a detector says here is a false alarm."""
    case.run()
