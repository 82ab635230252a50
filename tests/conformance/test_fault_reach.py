"""How far faults reach: the target is clearly affected, another service of the same deployment is not."""

from __future__ import annotations

import statistics
import time

import pytest
from samples import SAMPLES, lacking

from pytest_anomod.faults import _postgres, _speak
from pytest_anomod.host import engine
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.source import EngineOutput

INJECTOR = catalog.find("injectors", "native")
NEIGHBOUR = "media-service"
NEIGHBOUR_STORE = "user-mongodb"


def answers_s(deployment, service: str) -> list[float]:
    """Seconds of round trips to a service, one after the other for more than half a second."""
    address = instance_of(deployment, service).address
    times = []
    end = time.monotonic() + 0.6
    while time.monotonic() < end or len(times) < 8:
        times.append(min(1.0, _speak.round_trip_s(address, "http", 1.0)))
        time.sleep(0.01)
    return times


def commit_s(deployment, store: str) -> float:
    """Median seconds of a commit in a store."""
    times = _postgres.ask(deployment, store, lambda session: _postgres.commit_times_s(session, 40, every_s=0.01))
    return statistics.median(times)


@pytest.mark.parametrize("name", ["cpu_contention", "network_loss", "network_delay"])
def test_a_service_is_hurt_and_its_neighbour_is_not(deployment, name):
    """The target answers at least ten times as late; the neighbour keeps within a few milliseconds."""
    fault, target = SAMPLES[name]
    before = {service: answers_s(deployment, service) for service in (target, NEIGHBOUR)}
    INJECTOR.inject(fault, deployment, target)
    try:
        during = {service: answers_s(deployment, service) for service in (target, NEIGHBOUR)}
    finally:
        INJECTOR.recover(fault, deployment, target)
    assert statistics.mean(during[target]) > 10 * statistics.median(before[target])
    assert statistics.median(during[NEIGHBOUR]) < 3 * statistics.median(before[NEIGHBOUR]) + 0.004


@pytest.mark.parametrize("name", ["disk_stress", "disk_throttle"])
def test_a_store_waits_for_the_disk_and_its_neighbour_does_not(deployment, alone, name):
    """Commits of the target take at least five times as long, those of another store on the same disk do not."""
    fault, target = SAMPLES[name]
    if missing := lacking(fault, deployment, target):
        pytest.skip(f"{target} has no {missing} on runtime {deployment.runtime} here")
    with alone(fault):
        INJECTOR.prepare(fault, deployment, target)
        before = {store: commit_s(deployment, store) for store in (target, NEIGHBOUR_STORE)}
        INJECTOR.inject(fault, deployment, target)
        try:
            assert any(INJECTOR.active(fault, deployment, target) for _ in range(10))
            during = {store: commit_s(deployment, store) for store in (target, NEIGHBOUR_STORE)}
        finally:
            INJECTOR.recover(fault, deployment, target)
    assert during[target] > 5 * before[target]
    assert during[NEIGHBOUR_STORE] < 3 * before[NEIGHBOUR_STORE] + 0.002


def test_a_killed_target_loses_its_patch_and_the_probe_says_so(deployment):
    """A patch lives in a process; after a restart nobody may believe that it is still in."""
    fault, target = SAMPLES["code_exception"]
    INJECTOR.inject(fault, deployment, target)
    assert INJECTOR.active(fault, deployment, target)
    killed = instance_of(deployment, target)
    need(deployment, Lifecycle, target).kill()
    clock.wait_until(
        lambda: instance_of(deployment, target).pid not in (None, killed.pid), timeout_s=5, what="another pid"
    )
    clock.wait_until(lambda: deployment.answers(target), timeout_s=5, what="an answer of it")
    assert not INJECTOR.active(fault, deployment, target)
    INJECTOR.recover(fault, deployment, target)


@pytest.mark.parametrize("name", ["network_loss", "code_return", "cpu_contention"])
def test_a_target_that_dies_under_a_fault_can_be_recovered(deployment, name):
    """It comes back on its own port, running, with its own code."""
    fault, target = SAMPLES[name]
    INJECTOR.inject(fault, deployment, target)
    need(deployment, Lifecycle, target).kill()
    INJECTOR.recover(fault, deployment, target)
    clock.wait_until(lambda: deployment.answers(target), timeout_s=5, what="an answer of it")
    assert not INJECTOR.active(fault, deployment, target)


def test_probes_leave_no_trace_in_the_telemetry(deployment):
    """Looking for a fault that is not in adds no span, no log line and no request metric."""
    names = ("network_loss", "network_delay", "http_abort", "stop_service", "cpu_contention", "kill_service")
    names += ("dns_failure", "connection_pool_exhaustion")
    looks = [SAMPLES[name] for name in names]

    def written() -> int:
        files = [deployment.directory / "spans", deployment.directory / "logs"]
        targets = {target for _, target in looks}
        size = sum(path.stat().st_size for folder in files for path in folder.iterdir() if path.stem in targets)
        for source in deployment.sources():
            if isinstance(source, EngineOutput) and source.service in targets:  # an engine has the logs
                size += sum(len(line) for _, line in engine.output(source.engine, source.container, 1))
        return size

    sizes = [-1]  # a target that has just come back may have a line to write yet
    clock.wait_until(
        lambda: sizes.append(written()) or sizes[-1] == sizes[-2], timeout_s=60, what="quiet logs", every_s=0.5
    )
    before = written()
    for fault, target in looks:
        fault.active(deployment, target)
        assert written() == before, fault.name
