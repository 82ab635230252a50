"""A page of a service says after any calls what one made at that moment alone would say, and Prometheus reads it."""

from __future__ import annotations

import random
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pytest_anomod.replicas.kit.metrics import BUCKETS_S, Metrics

CALLS = [("Read", "ok"), ("Read", "declared"), ('od"d\\ \nname', "ok")]


def _samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(page.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def _count(calls: list[tuple[str, str, float]], into: Any) -> None:
    for method, status, seconds in calls:
        into.server_call(method, status, seconds)


def test_pages_one_after_the_other_say_what_was_counted() -> None:
    """What is kept of a page from the one before is never stale."""
    chance = random.Random(1)
    metrics, calls = Metrics(lambda: 3), []
    for turn in range(20):
        new = [(*chance.choice(CALLS), chance.expovariate(50)) for _ in range(chance.randrange(3))]
        calls += new
        _count(new, metrics)
        alone = Metrics(lambda: 3)
        _count(calls, alone)
        ours = {key: value for key, value in _samples(metrics.page()).items() if not key[0].startswith("process_")}
        assert ours == {key: value for key, value in _samples(alone.page()).items() if key in ours}, turn
        assert (
            len(ours) == len({first for first, _, _ in calls}) * (len(BUCKETS_S) + 3) + len({c[:2] for c in calls}) + 1
        )
    reads = [seconds for method, _, seconds in calls if method == "Read"]
    assert ours["rpc_server_duration_seconds_bucket", (("le", "0.01"), ("method", "Read"))] == sum(
        seconds <= 0.01 for seconds in reads
    )
    assert ours["rpc_server_in_flight", ()] == 3


def test_the_process_itself_is_on_the_page() -> None:
    """CPU time, memory and descriptors are those of this process."""
    found = _samples(Metrics(int).page())
    assert found["process_cpu_seconds_total", ()] > 0
    assert found["process_resident_memory_bytes", ()] > 2**20
    assert found["process_open_fds", ()] >= 3


def test_metrics_that_are_off_have_no_page() -> None:
    """Then nothing is counted."""
    metrics = Metrics(int, enabled=False)
    metrics.server_call("Read", "ok", 0.1)
    assert metrics.page() == b""
