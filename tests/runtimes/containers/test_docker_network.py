"""Faults by rules in a container's own network: who is cut off, who is not, and what a restart makes of it."""

from __future__ import annotations

import pytest

from pytest_anomod.faults import NetworkLoss, NetworkPartition
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Agent, Lifecycle, NetNamespace
from pytest_anomod.model.runtime import instance_of, need

INJECTOR = catalog.find("injectors", "native")


@pytest.fixture
def put_in(containers):
    """Puts a fault in and takes it out afterwards; then nobody's network has a rule of ours left."""
    if NetNamespace not in containers.capabilities:
        pytest.skip("no rules can be set in the networks of containers here")
    done = []

    def put(fault, target: str):
        done.append((fault, target))
        INJECTOR.inject(fault, containers, target)

    yield put
    for fault, target in done:
        INJECTOR.recover(fault, containers, target)
    for instance in containers.instances():
        space = containers.capability(NetNamespace, instance.service)
        assert [tag for tag in ("network_loss", "network_partition") if space.counted(tag)] == []
    clock.wait_until(lambda: containers.unhealthy() == (), timeout_s=20, what="all to be well")


def sees(containers, fault, target: str) -> bool:
    return bool(INJECTOR.active(fault, containers, target))


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_a_partition_is_between_the_target_and_its_peers_alone(containers, put_in, how):
    """Both directions fail; the target reaches others, others reach the peer, and we reach the agent."""
    fault = NetworkPartition(peers=("notes", "front"), how=how)
    assert not sees(containers, fault, "back")
    put_in(fault, "back")
    assert sees(containers, fault, "back")
    inside = {name: containers.capability(NetNamespace, name) for name in ("front", "back")}
    address = {one.service: one.inner_address for one in containers.instances()}
    assert not inside["front"].reaches(address["back"], 0.5)
    assert not inside["back"].reaches(address["front"], 0.5)
    assert inside["back"].reaches(address["cache"], 5)
    assert inside["front"].reaches(address["notes"], 5)
    assert containers.answers("back", 5)
    INJECTOR.recover(fault, containers, "back")
    assert not sees(containers, fault, "back")
    assert inside["front"].reaches(address["back"], 5)


def test_lost_packets_are_none_of_the_agents(containers, put_in):
    """At nine in ten lost its answers come as ever: dozens of packets would not all get through by chance."""
    put_in(NetworkLoss(percent=95, means="kernel"), "back")
    space = containers.capability(NetNamespace, "back")
    for _ in range(10):
        need(containers, Agent, "back").ask("/names/look", {"names": ["notes"]})
    assert len(space.counted("network_loss")) == 1


def test_a_restarted_container_has_no_rules_and_the_probe_says_so(containers, put_in):
    """Its network is a new one; what is left to recover is nothing, and recovery copes."""
    fault = NetworkPartition(peers=("notes",))
    put_in(fault, "back")
    assert sees(containers, fault, "back")
    killed = instance_of(containers, "back").pid
    need(containers, Lifecycle, "back").kill()
    assert not sees(containers, fault, "back")
    clock.wait_until(
        lambda: instance_of(containers, "back").pid not in (None, killed) and containers.answers("back"),
        timeout_s=30,
        what="another process of back",
    )
    assert not sees(containers, fault, "back")
    INJECTOR.recover(fault, containers, "back")
