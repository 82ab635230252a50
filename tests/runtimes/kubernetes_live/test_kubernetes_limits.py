"""Faults by what a namespace's rights allow, in pods that run: limits by a resize, and a policy."""

from __future__ import annotations

import contextlib

from pytest_anomod.faults import CpuContention, DatabaseMemoryLimit, MemoryPressure, NetworkPartition
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import clock
from pytest_anomod.model.catalog import find
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime

LIMITS = [
    (CpuContention(), "home-timeline-service"),
    (MemoryPressure(), "text-service"),
    (DatabaseMemoryLimit(), "user-timeline-mongodb"),
]
PARTITION = NetworkPartition(peers=("post-storage-service",))


def test_pressure_and_partition(session):
    """Each is seen in the kernel's own counters or from inside, is out again, and no container was restarted for it."""
    runtime, native = KubernetesRuntime(), NativeInjector()
    system = find("systems", "social_network")
    deployment = runtime.up(system, session)
    for fault, target in LIMITS:
        assert runtime.refusal_of_fault(system, target, fault.name) == ""
        native.prepare(fault, deployment, target)
        native.inject(fault, deployment, target)
        clock.wait_until(
            lambda fault=fault, target=target: native.active(fault, deployment, target),
            timeout_s=20, what=f"{fault.name} to be seen",
        )  # fmt: skip
        native.recover(fault, deployment, target)
        assert not native.active(fault, deployment, target)
        assert instance_of(deployment, target).restarts == 0
    with contextlib.suppress(DeploymentError):
        native.inject(PARTITION, deployment, "home-timeline-service")
    is_cut_off = native.active(PARTITION, deployment, "home-timeline-service")
    refusal = runtime.refusal_of_fault(system, "home-timeline-service", "network_partition")
    assert bool(is_cut_off) != ("does not enforce NetworkPolicy, as was seen" in refusal)
    native.recover(PARTITION, deployment, "home-timeline-service")
    events = (deployment.directory / "logs" / "text-service.events").read_text()
    assert '"k8s.event.reason": "Started"' in events
    runtime.down(deployment)
