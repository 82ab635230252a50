"""The control group of a real container: what it counts, what it holds, and that all of it can be put back."""

from __future__ import annotations

import os

import psutil
import pytest

from pytest_anomod.faults import CpuContention, _programs
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import ControlGroup, Lifecycle, Limit, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.runtimes.docker.runtime import DockerRuntime

INJECTOR = catalog.find("injectors", "native")
MIB = 1 << 20


@pytest.fixture
def group(containers):
    """That of a service; skips where this user may not write to it."""
    if ControlGroup not in containers.capabilities:
        pytest.skip("control groups of containers are not ours to write to here")
    return containers.capability(ControlGroup, "back")


def disk_of(containers) -> str:
    """The disk below the deployment; skips where it is on none that can be named."""
    device = os.stat(containers.directory).st_dev
    if not os.major(device) or os.path.exists(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/partition"):
        pytest.skip("the deployment is on no whole disk")
    return f"{os.major(device)}:{os.minor(device)}"


def test_runtime_and_deployment_offer_the_same(containers):
    """What collection lets through is not refused later."""
    assert DockerRuntime().capabilities == frozenset(containers.capabilities)


def test_it_is_the_containers_own(containers, group):
    """Two services have two of them, and one that is stopped has none."""
    assert containers.capability(ControlGroup, "front") != group
    need(containers, Lifecycle, "back").stop()
    try:
        assert containers.capability(ControlGroup, "back") is None
        with pytest.raises(DeploymentError, match="gone"):
            group.cpu()
    finally:
        need(containers, Lifecycle, "back").start()


def test_limits_hold_and_are_put_back_as_they_were(containers, group):
    """CPU, memory and writes; by the texts that were read before."""
    device = disk_of(containers)
    before = {what: group.limit(what, device) for what in Limit}
    group.limit_cpu(30_000, 100_000)
    group.limit_memory(512 * MIB)
    group.limit_writes(device, 50, 4 * MIB)
    assert group.cpu_share() == 0.3
    assert group.memory().limit_bytes == 512 * MIB
    assert all(group.limit(what, device) != before[what] for what in Limit)
    for texts in before.values():
        group.put_back(texts)
    assert {what: group.limit(what, device) for what in Limit} == before
    assert group.cpu_share() is None
    assert group.memory().limit_bytes is None


def test_a_container_that_is_started_again_has_no_limits(containers, group):
    """The engine makes a new group for it: faults have to look, and not to believe that theirs hold."""
    group.limit_cpu(50_000, 100_000)
    need(containers, Lifecycle, "back").stop()
    need(containers, Lifecycle, "back").start()
    assert containers.capability(ControlGroup, "back").cpu_share() is None


def test_figures_are_of_the_whole_container(containers, group):
    """What burns beside the service counts; what it counts only grows while the container lives."""
    before = containers.stats("back")
    _programs.start(containers, "back", "burners", "load", burners=1)
    try:
        clock.wait_until(
            lambda: containers.stats("back").cpu_s > before.cpu_s + 0.2, timeout_s=60, what="the burner's CPU to count"
        )
    finally:
        need(containers, Programs, "back").end("load")
    after = containers.stats("back")
    assert after.memory_bytes > 5 * MIB
    assert after.threads >= 1
    assert abs(after.cpu_s - group.cpu().used_s) < 5


def test_contention_is_by_quota_and_a_restart_ends_it(containers, group):
    """The kernel holds the service, nobody stops it; and the probe does not believe in a quota that is gone."""
    fault = CpuContention(duty_ms=10)
    done = INJECTOR.inject(fault, containers, "back")
    try:
        assert done["by"] == "quota"
        clock.wait_until(lambda: INJECTOR.active(fault, containers, "back"), timeout_s=60, what="it to be seen")
        assert psutil.Process(instance_of(containers, "back").pid).status() != psutil.STATUS_STOPPED
        need(containers, Lifecycle, "back").stop()
        need(containers, Lifecycle, "back").start()
        assert not INJECTOR.active(fault, containers, "back")
    finally:
        INJECTOR.recover(fault, containers, "back")
    assert containers.capability(ControlGroup, "back").cpu_share() is None
    assert need(containers, Programs, "back").running() == {}
