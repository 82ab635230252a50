"""What tc and ip are told so that netem loses packets, and how what they say is read."""

from __future__ import annotations

import json

from pytest_anomod.host import netem

LINKS = json.dumps(
    [
        {"ifname": "lo", "flags": ["LOOPBACK", "UP"]},
        {"ifname": "eth0", "flags": ["BROADCAST", "UP"]},
        {"ifname": "anomod0", "flags": ["BROADCAST", "UP"], "ifalias": "anomod one"},
    ]
)
QUEUES = json.dumps(
    [
        {"kind": "noqueue", "handle": "0:", "dev": "lo", "drops": 3},
        {"kind": "prio", "handle": "a0d:", "dev": "eth0", "drops": 4},
        {"kind": "netem", "handle": "a0e:", "dev": "eth0", "parent": "a0d:1", "drops": 4},
        {"kind": "pfifo", "handle": "a0f:", "dev": "eth0", "parent": "a0d:2", "drops": 0},
        {"kind": "ingress", "handle": "ffff:", "dev": "eth0", "parent": "ffff:fff1", "drops": 0},
        {"kind": "ingress", "handle": "ffff:", "dev": "eth1", "parent": "ffff:fff1", "drops": 0},
        {"kind": "netem", "handle": "8001:", "dev": "eth1", "drops": 100},
        {"kind": "netem", "handle": "a0e:", "dev": "anomod0", "drops": 5},
    ]
)


def test_both_directions_lose_alike_and_what_is_spared_comes_first():
    """A netem on the device and one on the side door, and a spared port's filters before those of all others."""
    lines = netem.losing(["eth0"], 0.125, [7001]).splitlines()
    assert [line for line in lines if line.endswith("netem loss 12.5%")] == [
        "qdisc add dev anomod0 root handle a0e: netem loss 12.5%",
        "qdisc add dev eth0 parent a0d:1 handle a0e: netem loss 12.5%",
    ]
    filters = [line for line in lines if line.startswith("filter")]
    assert [("7001" in line, "prio 1 " in line) for line in filters] == [(True, True)] * 4 + [(False, False)] * 2
    assert all("match ip protocol 6 0xff" in line for line in filters)


def test_nothing_is_spared_unless_it_is_named():
    """A store has no agent."""
    filters = [line for line in netem.losing(["eth0"], 0.5).splitlines() if line.startswith("filter")]
    assert len(filters) == 2
    assert all("prio 2 " in line for line in filters)


def test_devices_are_those_by_which_packets_leave():
    """Not loopback, where the resolver is, and not the side door itself."""
    assert netem.devices(LINKS) == ("eth0",)
    assert netem.devices("") == ()


def test_the_side_door_is_found_by_its_mark_alone():
    """Another fault's is not ours."""
    assert netem.there(LINKS, "anomod one")
    assert not netem.there(LINKS, "anomod two")
    assert not netem.there("", "anomod one")
    assert not netem.there("[{}]", "anomod one")


def test_only_what_our_own_queues_lost_counts():
    """The queue above ours counts what ours lost a second time, and others are none of our business."""
    assert netem.lost(QUEUES) == 9


def test_only_our_own_queues_are_taken_away():
    """Somebody else's on another device stay as they are."""
    assert netem.removal(QUEUES) == ("qdisc delete dev eth0 root", "qdisc delete dev eth0 ingress")
