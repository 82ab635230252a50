"""Plain commands that are up: what can be asked of them and done to them, and how they end."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tiny_system import define_tiny

from pytest_anomod.host import ports, processes
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Agent, Lifecycle, Listener, LocalProcess, Programs, StoreLogin, Volume
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.source import LogFile, ResourceFigures
from pytest_anomod.runtimes.commands import plan as plans
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def test_it_is_on_offer():
    assert isinstance(catalog.find("runtimes", "commands"), CommandsRuntime)


def test_users_are_served_by_all_services(tiny):
    assert get(tiny.entry_url) == {"service": "front", "below": {"service": "stock"}}
    assert tiny.urls == {"front": tiny.entry_url}
    assert tiny.unhealthy() == ()


def test_a_pid_is_that_of_the_program_not_of_its_shell(tiny):
    """The line of `front` has a variable, so that a shell reads it."""
    front = instance_of(tiny, "front")
    words = Path(f"/proc/{front.pid}/cmdline").read_bytes().split(b"\0")
    assert b"server.py" in words
    assert front.state == "running"
    assert processes.is_same(front.pid, front.start_time)


def test_what_services_print_is_their_log(tiny):
    """Both outputs, at once, each service in a file of its own."""
    logs = {source.service: source for source in tiny.sources() if isinstance(source, LogFile)}
    figures = {source.service for source in tiny.sources() if isinstance(source, ResourceFigures)}
    assert logs.keys() == figures == {"stock", "front"}
    assert logs["stock"].format == "text"
    assert "INFO stock listens on" in logs["stock"].path.read_text()


def test_the_environment_is_the_users_and_ours(tiny):
    """Variables of the line and of the definition; a directory for temporary files that goes with the deployment."""
    front, stock = (tiny.described(name) for name in ("front", "stock"))
    variable = processes.variable_of
    pid = instance_of(tiny, "front").pid
    assert variable(pid, "LEVEL") == "info"
    assert variable(pid, "PORT") == str(front["inner_port"])
    assert variable(pid, "STOCK_URL") == f"http://127.0.0.1:{stock['port']}"
    assert Path(variable(pid, "TMPDIR")).parent == tiny.directory
    assert variable(pid, processes.TAG) == tiny.ref["tag"]


def test_what_a_ref_leads_to_has_no_environment_in_it(tiny):
    """There may be passwords in it."""
    text = json.dumps(dict(tiny.ref)) + (tiny.directory / "deployment.json").read_text()
    assert "STOCK_URL" not in text
    assert (tiny.own / "plan.json").stat().st_mode & 0o077 == 0


def test_a_killed_service_comes_back_as_another_instance(tiny):
    before = instance_of(tiny, "stock")
    need(tiny, Lifecycle, "stock").kill()
    assert not processes.is_same(before.pid, before.start_time)
    need(tiny, Lifecycle, "stock").start()
    after = instance_of(tiny, "stock")
    assert (after.state, after.restarts) == ("running", before.restarts + 1)
    assert after.instance_id != before.instance_id
    assert get(tiny.entry_url)["below"] == {"service": "stock"}


def test_a_stopped_service_is_refused_by_the_kernel(tiny):
    """As if it had no front of ours: nobody listens, and callers are told so at once."""
    lifecycle = need(tiny, Lifecycle, "stock")
    lifecycle.stop()
    lifecycle.stop()
    try:
        assert instance_of(tiny, "stock").state == "stopped"
        assert tiny.stats("stock") is None
        assert tiny.unhealthy() == ("stock", "front"), "the front page asks the stock"
        with pytest.raises(DeploymentError, match="'stock' of 'tiny' has no process to kill: it is stopped"):
            lifecycle.kill()
        with pytest.raises(urllib.error.HTTPError) as answer:
            get(tiny.entry_url)
        assert b"Connection refused" in answer.value.read()
    finally:
        lifecycle.start()
    assert tiny.unhealthy() == ()


def test_what_a_service_can_have_done_to_it(tiny):
    for kind in (Lifecycle, LocalProcess, Programs, Volume, Listener):
        assert tiny.capability(kind, "stock") is not None, kind
    assert tiny.capability(StoreLogin, "stock") is None
    assert tiny.capability(Agent, "stock") is None
    with pytest.raises(DeploymentError, match="no service 'stok'; did you mean stock"):
        tiny.capability(Lifecycle, "stok")


def test_a_port_of_its_own_choice_means_no_listener(tmp_path):
    """Said while tests are collected."""
    system = define_tiny(tmp_path, ports={"stock": 8123}, engines={"stock": "redis"})
    runtime = CommandsRuntime()
    needs = frozenset({Listener, Programs, StoreLogin})
    assert runtime.lacks(system, "stock", needs) == {Listener}
    assert runtime.lacks(system, "front", needs) == {StoreLogin}
    assert plans.logins(system, {"services": [{"name": "stock", "inner_port": 8123}]}) == {
        "stock": "redis://127.0.0.1:8123/0"
    }


def test_ports_of_their_own_choice_are_had_by_one_at_a_time():
    """By a lock of this machine."""
    port = ports.claim_block()[0]
    (first,) = ports.hold_fixed([port], "one")
    with pytest.raises(DeploymentError, match=f"two waited 0.1 s for port {port} of 127.0.0.1, which another"):
        ports.hold_fixed([port], "two", timeout_s=0.1)
    os.close(first)
    (second,) = ports.hold_fixed([port], "two", timeout_s=0.1)
    os.close(second)


def test_a_port_that_a_stranger_has_is_refused(tiny):
    taken = tiny.described("front")["port"]
    with pytest.raises(DeploymentError, match=rf"port {taken} on 127.0.0.1, which me needs, is taken by pid \d+"):
        ports.hold_fixed([taken], "me")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("python3 -c 'print(\"no such table\"); raise SystemExit(3)'", r"'stock' ended .*exit code 3.*no such table"),
        ("./no-such-program now", "stock: can't start './no-such-program': No such file"),
        ("sleep 300", "'stock' is not well after 1 s: no good answer to GET / on .*does it listen on the port"),
    ],
)
def test_what_does_not_come_up_is_named_with_its_last_lines(tmp_path, session, monkeypatch, line, said):
    monkeypatch.setattr(plans, "WELL_WITHIN_S", 1.0 if "sleep" in line else 60.0)
    system = define_tiny(tmp_path / "sick", f"stock: {line}\nfront: python3 server.py front\n")
    with pytest.raises(DeploymentError, match=f"(?s)system 'tiny' did not come up: .*{said}"):
        CommandsRuntime().up(system, session)
    assert list((session.directory / "deployments").iterdir()) == [], "nothing of it stays"


def test_a_worker_without_a_port_is_well_while_it_runs(tmp_path, session):
    """`ports={"NAME": None}`."""
    lines = "stock: python3 server.py stock\nclerk: sleep 300\n"
    runtime = CommandsRuntime()
    deployment = runtime.up(define_tiny(tmp_path, lines, entry="stock", env={}, ports={"clerk": None}), session)
    try:
        assert deployment.unhealthy() == ()
        assert deployment.capability(Listener, "clerk") is None
        need(deployment, Lifecycle, "clerk").stop()
        assert deployment.unhealthy() == ("clerk",)
    finally:
        runtime.down(deployment)


def test_down_leaves_nothing(tmp_path, session):
    """No process, whether it left its session or not; no port, no file."""
    lines = "stock: setsid sleep 300 & exec python3 server.py stock\n"
    runtime = CommandsRuntime()
    deployment = runtime.up(define_tiny(tmp_path, lines, entry="stock", env={}), session)
    host = deployment.document["host"]["pid"]
    family = processes.descendants([host])
    assert len(family) >= 2
    used = [deployment.described("stock")[name] for name in ("port", "inner_port")]
    runtime.down(deployment)
    runtime.down(deployment)
    assert not [pid for pid, started in family.items() if processes.is_same(pid, started)]
    assert all(map(ports.is_free, used))
    assert not deployment.directory.exists()
    assert deployment.undo.open_entries() == []


@pytest.mark.parametrize("first", ["owner", "host"])
def test_nothing_is_left_when_its_owner_is_killed(tmp_path, commands_owner, first):
    """Within 10 s, though one service cleared its environment and one left a process outside its session."""
    owner = commands_owner(tmp_path)
    family = owner.told["processes"]
    assert len(family) >= 4
    if first == "host":
        os.kill(owner.told["host"], signal.SIGKILL)
    owner.kill_group()
    began = time.monotonic()
    clock.wait_until(lambda: not owner.directory.exists(), timeout_s=10.0, what="the guardian to clear up")
    left = [pid for pid, started in family if processes.is_same(pid, started)]
    assert not left, f"after {time.monotonic() - began:.1f} s"
