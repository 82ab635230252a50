"""One sample of every fault on offer, with a target of SocialNetwork; a fault without one fails its conformance."""

from __future__ import annotations

from pytest_anomod.faults import (
    CodeDelay,
    CodeException,
    CodeReturn,
    CpuContention,
    DatabaseMemoryLimit,
    DiskStress,
    DiskThrottle,
    DnsFailure,
    HttpAbort,
    HttpDelay,
    KillService,
    MemoryPressure,
    NetworkBandwidth,
    NetworkDelay,
    NetworkLoss,
    NetworkPartition,
    NoFault,
    PauseService,
    PoolExhaustion,
    RedisMemoryLimit,
    StopService,
    TransactionTimeout,
)

_TEXT = {"probe": "ComposeText", "arguments": {"req_id": 1, "text": "hello"}}
_MEDIA = {"probe": "ComposeMedia", "arguments": {"req_id": 1, "media_types": ["png"], "media_ids": [7]}}

SAMPLES = {
    "no_fault": (NoFault(), "text-service"),
    "cpu_contention": (CpuContention(), "home-timeline-service"),
    "network_loss": (NetworkLoss(percent=50), "post-storage-service"),
    "network_delay": (NetworkDelay(delay_ms=80), "post-storage-service"),
    "http_abort": (HttpAbort(percent=70), "text-service"),
    "http_delay": (HttpDelay(percent=70, delay_ms=300), "text-service"),
    "network_bandwidth": (NetworkBandwidth(rate_kbit=64), "post-storage-service"),
    "network_partition": (NetworkPartition(peers=("post-storage-service",)), "home-timeline-service"),
    "disk_stress": (DiskStress(), "post-storage-mongodb"),
    "disk_throttle": (DiskThrottle(), "post-storage-mongodb"),
    "memory_pressure": (MemoryPressure(), "text-service"),
    "kill_service": (KillService(), "user-timeline-service"),
    "stop_service": (StopService(), "text-service"),
    "pause_service": (PauseService(), "url-shorten-service"),
    "redis_memory_limit": (RedisMemoryLimit(percent_of_used=50), "home-timeline-redis"),
    "dns_failure": (DnsFailure(peers=("user-mention-service",)), "text-service"),
    "connection_pool_exhaustion": (PoolExhaustion(), "url-shorten-service"),
    "database_memory_limit": (DatabaseMemoryLimit(), "user-timeline-mongodb"),
    "transaction_timeout": (TransactionTimeout(tables=("post",), lock_timeout_ms=200), "post-storage-mongodb"),
    "code_exception": (
        CodeException(function="text_service:TextHandler.compose_text", message="no such text", **_TEXT),
        "text-service",
    ),
    "code_return": (
        CodeReturn(function="media_service:MediaHandler.compose_media", value=[], **_MEDIA),
        "media-service",
    ),
    "code_delay": (
        CodeDelay(function="media_service:MediaHandler.compose_media", delay_s=0.2, **_MEDIA),
        "media-service",
    ),
}

VARIANTS = {
    "dns_failure of a store": (DnsFailure(peers=("user-mongodb", "user-timeline-mongodb")), "user-service"),
    "connection_pool_exhaustion, one left": (PoolExhaustion(leave=1), "user-service"),
    "transaction_timeout, now and then": (
        TransactionTimeout(tables=("social_graph",), lock_timeout_ms=100, blocks="all", held_percent=60),
        "social-graph-mongodb",
    ),
    "redis_memory_limit, evicting": (RedisMemoryLimit(percent_of_used=10, policy="allkeys-lru"), "social-graph-redis"),
    "network_loss by the relay": (NetworkLoss(percent=50, means="relay"), "post-storage-service"),
    "network_partition, refused, of a store": (
        NetworkPartition(peers=("user-mongodb", "social-graph-service"), how="reject"),
        "user-service",
    ),
    "network_delay with jitter": (NetworkDelay(delay_ms=60, jitter_ms=30), "media-service"),
    "http_delay of any method": (HttpDelay(percent=100, delay_ms=100, method=""), "media-service"),
    "kill_service, once": (KillService(once=True), "media-service"),
    "cpu_contention of a store": (CpuContention(), "user-mongodb"),
    "pause_service of a store": (PauseService(), "url-shorten-mongodb"),
    "stop_service of a store": (StopService(), "url-shorten-mongodb"),
    "network_loss of the gateway": (NetworkLoss(percent=20), "nginx-thrift"),
    "disk_stress of a service": (DiskStress(), "text-service"),
    "disk_throttle of a service, by bytes": (DiskThrottle(writes_per_s=0, kb_per_s=64), "text-service"),
    "memory_pressure of a store": (MemoryPressure(spare_mb=48), "user-mongodb"),
    "memory_pressure, until it is killed": (MemoryPressure(outcome="kill", spare_mb=32), "media-service"),
    "kill_service, away for a while": (KillService(period_s=1, away_s=0.5), "media-service"),
    "code_return, asked over HTTP": (
        CodeReturn(
            function="media_service:MediaHandler.compose_media",
            value=[],
            expect={"result": []},
            probe="POST /ComposeMedia",
            arguments=_MEDIA["arguments"],
        ),
        "media-service",
    ),
    "code_exception, asked over HTTP": (
        CodeException(
            function="text_service:TextHandler.compose_text",
            message="no such text",
            probe="POST /ComposeText",
            arguments=_TEXT["arguments"],
        ),
        "text-service",
    ),
}
"""The same faults with other parameters or targets: they go through the edges of the cycle as well."""


def lacking(fault, deployment, target: str) -> str:
    """Names of what a fault needs and its target does not have here, for skipping; "" when it has everything."""
    return ", ".join(sorted(kind.__name__ for kind in fault.needs if deployment.capability(kind, target) is None))
