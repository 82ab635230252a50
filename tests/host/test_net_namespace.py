"""Rules in a network namespace that is not ours: found, counted and gone by their tag; none is ever set in our own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_anomod.host import net_namespace, netem, processes
from pytest_anomod.host.net_namespace import ContainerNetwork
from pytest_anomod.model.capability import NetNamespace
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes import _machine
from pytest_anomod.runtimes.docker.capabilities import of_containers

DROP_ALL = [("-p", "tcp", "-j", "DROP")]
LISTEN = """
import socket, sys
listeners = [socket.create_server(("", port), backlog=500) for port in (7001, 8080)]
print("ready", flush=True)
sys.stdin.read()
"""
CONNECT = """
import socket, sys
answered = 0
for _ in range(int(sys.argv[3])):
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.15).close()
        answered += 1
    except TimeoutError:
        pass
print(answered)
"""


@pytest.fixture
def space():
    """The network of a program in a namespace of its own; skips where there can be none."""
    why = net_namespace.why_not()
    if why:
        pytest.skip(why)
    device = "ip link add here type veth peer name there && ip addr add 10.9.8.7/24 dev here && ip link set here up"
    script = f"ip link set lo up && {device} && ip link set there up && iptables-save > /dev/null"
    child = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", f"({script} && echo ready) || echo no; read end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    said = child.stdout.readline()
    try:
        if said != b"ready\n":
            pytest.skip("this kernel makes no network namespace with a device and iptables for us")
        yield ContainerNetwork(child.pid, processes.start_time(child.pid), who="a program", spared=[7001])
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def test_rules_are_found_counted_and_taken_away_by_their_tag(space):
    """One set under each tag; another one stays."""
    space.put("one", [*DROP_ALL, ("-s", "10.0.0.1", "-j", "DROP")])
    space.put("two", DROP_ALL)
    assert space.counted("one") == (0, 0)
    assert not space.reaches(("10.9.8.9", 80), 0.2)
    assert sum(space.counted("one")) > 0
    space.put("one", DROP_ALL)
    assert space.counted("one") == (0,)
    space.clear("one")
    space.clear("one")
    assert space.counted("one") == ()
    assert len(space.counted("two")) == 1
    space.clear("two")


def test_what_is_the_agents_or_stays_inside_is_not_judged(space):
    """Our own way in stays open, and the container's resolver listens on the loopback device."""
    space.put("one", DROP_ALL)
    assert not space.reaches(("10.9.8.9", 7001), 0.2)
    assert not space.reaches(("127.0.0.1", 1), 0.2)
    assert space.counted("one") == (0,)


def test_a_tool_that_refuses_is_told_with_its_words(space):
    """And none of the rules is set then: all go in at once."""
    with pytest.raises(DeploymentError, match=r"iptables-restore in the network of a program failed .*"):
        space.put("one", [*DROP_ALL, ("-j", "NOWHERE")])
    assert space.counted("one") == ()


@pytest.fixture
def joined():
    """Programs that listen in two namespaces with a cable between them, at 10.9.8.7 and 10.9.8.9; their pids."""
    why = net_namespace.why_not()
    if why:
        pytest.skip(why)
    children = [
        subprocess.Popen(
            ["unshare", "-n", sys.executable, "-I", "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        if [child.stdout.readline() for child in children] != [b"ready\n"] * 2:
            pytest.skip("this kernel makes no network namespace for us")
        one, other = (child.pid for child in children)
        inside(one, "ip", "link", "add", "here", "type", "veth", "peer", "name", "there")
        inside(one, "ip", "link", "set", "there", "netns", str(other))
        for pid, device, address in ((one, "here", "10.9.8.7/24"), (other, "there", "10.9.8.9/24")):
            inside(pid, "ip", "link", "set", "lo", "up")
            inside(pid, "ip", "addr", "add", address, "dev", device)
            inside(pid, "ip", "link", "set", device, "up")
        yield one, other
    finally:
        for child in children:
            child.stdin.close()
            child.wait()
            child.stdout.close()


def inside(pid: int, *words: str) -> str:
    """What a program says that runs in the network of another."""
    words = ("nsenter", "-t", str(pid), "-n", "--", *words)
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout


def answered(pid: int, address: str, port: int, attempts: int = 40) -> int:
    """How many connections are made, each of which takes a packet there and one back, before any is sent again."""
    return int(inside(pid, sys.executable, "-I", "-c", CONNECT, address, str(port), str(attempts)))


@pytest.mark.parametrize("means", ["netem", "iptables statistic"])
def test_a_share_of_the_packets_is_lost_in_both_directions_and_none_of_the_agents(joined, monkeypatch, means):
    """By netem where the kernel has it, else by iptables; afterwards nothing of either is left."""
    why = _machine.no_netem()
    if why and means == "netem":
        pytest.skip(f"no netem here: {why}")
    if means != "netem":  # half-way in, tc refuses: what it did until then must be undone
        monkeypatch.setattr(netem, "devices", lambda links: ("here", "nowhere"))
    one, other = joined
    space = ContainerNetwork(one, processes.start_time(one), who="a program", spared=[7001])
    plain = inside(one, "tc", "qdisc", "show"), inside(one, "ip", "-o", "link", "show")
    ours = inside(os.getpid(), "ip", "-o", "link", "show", "type", "ifb")
    assert answered(one, "10.9.8.9", 8080) == answered(other, "10.9.8.7", 8080) == 40
    assert space.lose("one", 1) == means
    assert answered(one, "10.9.8.9", 8080, 3) == answered(other, "10.9.8.7", 8080, 3) == 0
    # nobody has even heard of these: the first packet was lost whether it went or came
    assert [inside(pid, "ss", "-H", "-t", "-n", "state", "syn-recv") for pid in joined] == ["", ""]
    assert space.lose("one", 0.4) == means
    assert len(space.counted("one")) == 1
    assert space.counted("two") == ()
    for pid, address in ((one, "10.9.8.9"), (other, "10.9.8.7")):
        before = sum(space.counted("one"))
        assert 2 <= answered(pid, address, 8080) <= 27  # 0.6 * 0.6 of 40, and four sigma
        assert sum(space.counted("one")) > before + 12
    assert answered(other, "10.9.8.7", 7001) == 40
    space.clear("two")
    assert space.counted("one") != ()
    space.clear("one")
    space.clear("one")
    assert space.counted("one") == ()
    assert (inside(one, "tc", "qdisc", "show"), inside(one, "ip", "-o", "link", "show")) == plain
    assert inside(os.getpid(), "ip", "-o", "link", "show", "type", "ifb") == ours
    assert answered(one, "10.9.8.9", 8080) == answered(other, "10.9.8.7", 8080) == 40


def test_no_rule_is_ever_set_in_our_own_network():
    """Whoever's pid it is: a namespace is known by its inode."""
    if net_namespace.why_not():
        pytest.skip(net_namespace.why_not())
    ours = ContainerNetwork(os.getpid(), processes.start_time(os.getpid()), who="we")
    with pytest.raises(DeploymentError, match="is that of this machine"):
        ours.put("one", DROP_ALL)


def test_a_process_that_is_gone_or_another_has_no_network(space):
    """A pid alone is no identity."""
    other = ContainerNetwork(space._pid, space._start_time - 5, who="it")
    with pytest.raises(DeploymentError, match="it has no network to be ruled"):
        other.counted("one")


def test_who_is_not_root_can_not_rule(monkeypatch):
    """Then nobody has that capability, and faults that need it are refused at collection."""
    monkeypatch.setattr(net_namespace.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(net_namespace.sys, "platform", "linux")
    net_namespace.why_not.cache_clear()
    try:
        assert "only root" in net_namespace.why_not()
        assert NetNamespace not in of_containers(local=True)
    finally:
        net_namespace.why_not.cache_clear()
