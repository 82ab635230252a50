"""What can be done to containers that have nothing in their image: each capability, put in and taken out again."""

from __future__ import annotations

import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod.faults import helpers
from pytest_anomod.host import cgroups, net_namespace, processes
from pytest_anomod.model import capability as can
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import instance_of, need

HELPERS = Path(helpers.__file__).parent


@pytest.fixture(autouse=True)
def _well_again(live):
    """What a test does to the system is over when it ends."""
    yield
    clock.wait_until(lambda: live.unhealthy() == (), timeout_s=30, what="all to be well")


def status(live, path: str = "/x") -> int:
    """Of one request at the entry."""
    try:
        with urllib.request.urlopen(live.entry_url + path, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("service", ["back", "middle"])
def test_who_is_killed_comes_back_with_a_policy_or_by_us(live, service):
    """As a new start of the same container, at the same published port."""
    before = instance_of(live, service)
    need(live, can.Lifecycle, service).kill()
    assert not processes.is_same(before.pid, before.start_time)

    def is_back() -> bool:
        now = instance_of(live, service)
        return now.state == "running" and now.pid != before.pid and live.answers(service)

    clock.wait_until(is_back, timeout_s=20, what="it to be back")
    after = instance_of(live, service)
    assert after.restarts == before.restarts + 1
    assert after.instance_id == f"{service}-{after.restarts + 1}"
    assert status(live) == 200


def test_who_is_stopped_is_away_until_it_is_started(live):
    """Its name resolves no more; starting twice does no harm."""
    lifecycle = need(live, can.Lifecycle, "back")
    lifecycle.stop()
    lifecycle.stop()
    assert instance_of(live, "back").state == "stopped"
    assert status(live) == 502
    lifecycle.start()
    lifecycle.start()
    assert status(live) == 200


def test_who_is_held_does_not_answer(live):
    """By signals to the process here."""
    pid = need(live, can.LocalProcess, "middle").pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not live.answers("middle", 0.3)
        assert instance_of(live, "middle").state == "running"
        assert live.stats("middle").stopped
    finally:
        os.kill(pid, signal.SIGCONT)
    assert live.answers("middle", 2.0)


def test_programs_run_in_its_network_and_are_counted_to_it(live):
    """Ours, of this machine's Python; another name may not be taken twice, and it ends when it is told to."""
    programs = need(live, can.Programs, "front")
    words = [sys.executable, "-I", "-S", str(HELPERS / "burners.py"), "--burners", "1", "--deadline-s", "60"]
    before = live.stats("front").cpu_s
    pid = programs.run(words, name="load", deadline_s=60.0)
    assert programs.running() == {"load": pid}
    clock.wait_until(lambda: live.stats("front").cpu_s > before + 0.2, timeout_s=20, what="it to be counted")
    own = os.readlink(f"/proc/{instance_of(live, 'front').pid}/ns/net")
    family = [pid, *processes.descendants([pid])]
    assert {os.readlink(f"/proc/{one}/ns/net") for one in family} == {own} or net_namespace.why_not()
    programs.end("load")
    assert programs.running() == {}
    assert not os.path.exists(f"/proc/{pid}")


@pytest.mark.skipif(not cgroups.may_write(), reason="control groups are not ours to write to")
def test_limits_hold_and_are_put_back(live):
    """Of its own control group, whose path ends with its id."""
    group = need(live, can.ControlGroup, "front")
    before = group.limit(can.Limit.CPU)
    group.limit_cpu(20_000, 100_000)
    assert group.cpu_share() == 0.2
    group.put_back(before)
    assert group.limit(can.Limit.CPU) == before


@pytest.mark.skipif(bool(net_namespace.why_not()), reason="the network of containers can't be ruled")
def test_what_is_lost_is_lost_in_it_alone(live):
    """By rules, counted, and gone again."""
    space = need(live, can.NetNamespace, "back")
    assert space.reaches(instance_of(live, "front").inner_address, 2.0)
    space.put("test", [("-p", "tcp", "-j", "DROP")])
    assert status(live) == 502
    assert sum(space.counted("test")) > 0
    space.clear("test")
    space.reset_connections()
    assert space.counted("test") == ()
    clock.wait_until(lambda: status(live) == 200, timeout_s=10, what="it to be reached again")


@pytest.mark.skipif(bool(net_namespace.why_not()), reason="the network of containers can't be ruled")
def test_a_relay_can_stand_in_its_way(live):
    """Connections kept so far go through it too; the container's own check does not; then all is as before."""
    listener, programs = need(live, can.Listener, "middle"), need(live, can.Programs, "middle")
    detour = listener.detour()
    where = ["--host", detour.host, "--listen", str(detour.listen), "--upstream-host", detour.upstream_host]
    where += ["--upstream", str(detour.upstream), "--ready", str(detour.ready)]
    what = ["--abort", "1.0", "--abort-status", "503", "--deadline-s", "60"]
    programs.run([sys.executable, "-I", "-S", str(HELPERS / "proxy.py"), *where, *what], name="relay", deadline_s=60)
    clock.wait_until(lambda: listener.is_listening(detour.ready), timeout_s=10, what="the relay")
    assert status(live) == 200
    listener.divert(detour)
    assert status(live) == 502
    programs.end("relay")
    listener.restore()
    listener.restore()
    assert status(live) == 200


@pytest.mark.skipif(bool(net_namespace.why_not()), reason="the network of containers can't be ruled")
def test_one_name_can_be_hidden_from_one_service(live):
    """Also from its next start; others resolve it, and it resolves others."""
    resolver, other = need(live, can.Resolver, "middle"), need(live, can.Resolver, "front")
    names = ["front", "middle", "back"]
    assert resolver.resolved(names) == set(names)
    resolver.hide(["back"])
    assert resolver.resolved(names) == {"front", "middle"}
    assert resolver.connections(["back"]) == 0
    assert other.resolved(names) == set(names)
    assert status(live) == 502
    need(live, can.Lifecycle, "middle").kill()
    need(live, can.Lifecycle, "middle").start()
    clock.wait_until(lambda: status(live) == 502, timeout_s=5, what="the name to be hidden from the new start")
    resolver.hide([])
    assert need(live, can.Resolver, "middle").resolved(names) == set(names)
    clock.wait_until(lambda: status(live) == 200, timeout_s=5, what="it to be known again")


def test_its_disk_is_one_of_this_machine_and_it_does_not_see_our_files(live):
    """Of one with a volume and of one without."""
    for service in ("back", "front"):
        directory = need(live, can.Volume, service).directory()
        (directory / "x").write_text("x")
        pid = instance_of(live, service).pid
        assert not list(Path(f"/proc/{pid}/root").glob("*/x"))
        (directory / "x").unlink()


def test_it_has_no_agent_and_no_login(live):
    """Nobody put one in; and it is no store."""
    assert live.capability(can.Agent, "front") is None
    assert live.capability(can.StoreLogin, "front") is None
