"""A system that runs already: what is done to it is undone, and it lives on whatever happens."""

from __future__ import annotations

import os

import pytest

from pytest_anomod.define.running import running_system
from pytest_anomod.faults import CpuContention, KillService, PauseService
from pytest_anomod.host import processes
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Lifecycle, Listener, LocalProcess, Programs
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.source import LogFile, ResourceFigures, Zipkin
from pytest_anomod.runtimes.running import RunningRuntime
from pytest_anomod.runtimes.running import runtime as running


@pytest.fixture
def runtime():
    """The runtime."""
    return RunningRuntime()


def await_stopped(theirs):
    """A signal takes a moment to act."""
    what = "its process to stand still"
    clock.wait_until(lambda: processes.state(theirs.process.pid) == "T", timeout_s=20.0, what=what)


def test_it_is_on_offer():
    assert isinstance(catalog.find("runtimes", "running"), RunningRuntime)


def test_it_is_known_by_pid_and_start_time(foreign, session, runtime):
    theirs = foreign()
    system = running_system(
        "theirs",
        entry=theirs.url,
        pids={"stock": theirs.process.pid},
        logs={"stock": "stock.log"},
        traces=Zipkin(url="http://127.0.0.1:9411"),
        login_variables=["TOKEN"],
    )
    assert system.login_variables == ("TOKEN",)
    deployment = runtime.up(system, session)
    stock = instance_of(deployment, "stock")
    assert (stock.pid, stock.state, stock.address) == (theirs.process.pid, "running", ("127.0.0.1", theirs.port))
    assert deployment.entry_url == theirs.url
    assert deployment.sources() == (ResourceFigures(service="stock"),)
    kinds = [type(source) for source in system.telemetry]
    assert kinds == [LogFile, Zipkin]
    assert deployment.stats("stock").cpu_s > 0
    runtime.down(deployment)
    assert not deployment.directory.exists()
    assert theirs.answers()


@pytest.mark.parametrize("fault", [PauseService(), CpuContention()], ids=lambda fault: fault.name)
def test_a_fault_that_leaves_no_trace(foreign, session, runtime, fault):
    """The very process goes on afterwards."""
    theirs = foreign()
    deployment = runtime.up(running_system("theirs", entry=theirs.url, pids={"stock": theirs.process.pid}), session)
    before, carrier = instance_of(deployment, "stock"), NativeInjector()
    carrier.inject(fault, deployment, "stock")
    clock.wait_until(lambda: fault.active(deployment, "stock"), timeout_s=30.0, what="the fault to be seen")
    carrier.recover(fault, deployment, "stock")
    assert instance_of(deployment, "stock") == before
    runtime.down(deployment)
    assert theirs.answers()


def test_letting_go_takes_out_what_is_still_in(foreign, session, runtime):
    """A deployment of ours would be destroyed."""
    theirs = foreign()
    deployment = runtime.up(running_system("theirs", entry=theirs.url, pids={"stock": theirs.process.pid}), session)
    NativeInjector().inject(PauseService(), deployment, "stock")
    await_stopped(theirs)
    runtime.down(deployment)
    assert processes.state(theirs.process.pid) != "T"
    assert deployment.undo.open_entries() == []
    assert theirs.answers()


def test_it_goes_on_when_its_holder_is_killed(foreign, holder, tmp_path):
    """Within 10 s, by the guardian."""
    theirs = foreign()
    owner = holder(str(tmp_path), theirs.url, str(theirs.process.pid))
    await_stopped(theirs)
    owner.kill_group()
    clock.wait_until(lambda: not owner.directory.exists(), timeout_s=10.0, what="the guardian to clear up")
    assert theirs.answers()


def test_what_can_be_done_follows_from_what_was_said(runtime):
    """A service without a pid can only be looked at."""
    system = running_system("theirs", entry="http://127.0.0.1:1", pids={"front": 1}, calls={"front": ["stock"]})
    needs = frozenset({LocalProcess, Programs, Lifecycle, Listener})
    assert runtime.lacks(system, "front", needs) == {Lifecycle, Listener}
    assert runtime.lacks(system, "stock", needs) == needs


def test_a_fault_that_leaves_a_trace_must_be_allowed(runtime):
    """By its name; also one of third parties, of which nothing is known."""
    allow = ["kill_service", "stop_service"]
    system = running_system("theirs", entry="http://127.0.0.1:1", pids={"stock": 1}, allow=allow)
    assert runtime.refusal_of_fault(system, "stock", "pause_service") == ""
    assert runtime.refusal_of_fault(system, "stock", "kill_service") == ""
    stopping = runtime.refusal_of_fault(system, "stock", "stop_service")
    assert "a process that we did not start we can't start again" in stopping
    assert "it is not known to leave no trace" in runtime.refusal_of_fault(system, "stock", "melt")
    stores = running_system(
        "stores",
        entry="http://127.0.0.1:1",
        pids={"my": 1, "pg": 1},
        entry_service="my",
        engines={"my": "mysql", "pg": "postgresql"},
    )
    assert "sessions of others are ended" in runtime.refusal_of_fault(stores, "my", "transaction_timeout")
    assert runtime.refusal_of_fault(stores, "pg", "transaction_timeout") == ""
    others = running_system("others", entry="http://127.0.0.1:1", containers={"stock": "x"})
    assert "may not come back; allow it by" in runtime.refusal_of_fault(others, "stock", "stop_service")


def test_a_service_that_its_owner_restarts_is_followed(foreign, session, runtime):
    """The new process is found by the port that it listens on."""
    theirs = foreign(restarted=True)
    (child,) = processes.children_of(theirs.process.pid)
    system = running_system(
        "theirs", entry=theirs.url, pids={"stock": child}, ports={"stock": theirs.port}, allow=["kill_service"]
    )
    deployment = runtime.up(system, session)
    fault, carrier = KillService(once=True), NativeInjector()
    carrier.inject(fault, deployment, "stock")
    carrier.recover(fault, deployment, "stock")
    after = instance_of(deployment, "stock")
    assert (after.state, after.restarts, after.instance_id) == ("running", 1, "stock-2")
    assert [after.pid] == processes.children_of(theirs.process.pid)
    with pytest.raises(DeploymentError, match="'stock' of 'theirs' is not stopped: we did not start it"):
        need(deployment, Lifecycle, "stock").stop()
    runtime.down(deployment)


def test_what_does_not_run_is_named(session, runtime, tmp_path):
    system = running_system("theirs", entry="http://127.0.0.1:1", pids={"stock": 2**22 + 1})
    with pytest.raises(DeploymentError, match="service 'stock': no process 4194305 runs; name the pid"):
        runtime.up(system, session)
    other = running_system("others", entry="http://127.0.0.1:1", pids={"stock": tmp_path / "stock.pid"})
    with pytest.raises(DeploymentError, match=r"the file .*/stock.pid names no process that runs"):
        runtime.up(other, session)


def test_what_is_not_well_is_named(session, runtime, monkeypatch):
    monkeypatch.setattr(running, "WELL_WITHIN_S", 0.3)
    system = running_system("theirs", entry="http://127.0.0.1:1", pids={"stock": os.getppid()})
    with pytest.raises(DeploymentError, match="system 'theirs' is not well: no good answer from stock"):
        runtime.up(system, session)
    assert processes.start_time(os.getppid()) is not None


def test_one_process_at_a_time_has_it(foreign, session, runtime, monkeypatch):
    theirs = foreign()
    system = running_system("theirs", entry=theirs.url, pids={"stock": theirs.process.pid})
    deployment = runtime.up(system, session)
    monkeypatch.setattr(running, "HELD_WITHIN_S", 0.1)
    with pytest.raises(DeploymentError, match="another process of this machine has had system 'theirs'"):
        runtime.up(system, session)
    runtime.down(deployment)
    runtime.down(runtime.up(system, session))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"entry": "127.0.0.1:3000"}, "entry='127.0.0.1:3000' is no URL; say http://127.0.0.1:3000"),
        ({}, "names no service: say containers="),
        ({"pids": {"a": 1}, "containers": {"a": "x"}}, "a can't be a container and a pid at once"),
        ({"pids": {"a": 1, "b": 2}}, "say which service users reach: entry_service='a' or 'b'"),
        ({"pids": {"a": 1}, "logs": {"b": "x"}}, "has no service 'b', which logs names"),
        ({"pids": {"a": 1}, "allow": ["kill_servce"]}, "no fault named 'kill_servce'; did you mean kill_service"),
        ({"pids": {"a": 1}, "ports": {"a": 70_000}}, "port 70000 of service 'a' is none"),
    ],
)
def test_what_is_wrong_is_named(given, said):
    with pytest.raises(ScenarioError, match=said):
        running_system("theirs", **{"entry": "http://127.0.0.1:1", **given})
