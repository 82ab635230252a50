"""A system in containers: what is up, what can be done to it, and that it is not reachable from elsewhere."""

from __future__ import annotations

import json
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pytest_anomod.faults import KillService, _programs
from pytest_anomod.host import processes
from pytest_anomod.host.engine import output
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent, Lifecycle, Listener, LocalProcess, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.source import EngineOutput, MetricsPage, SpanFile
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.runtime import DockerRuntime


def echo(deployment, text: str) -> str:
    """What the system says to a user."""
    with urllib.request.urlopen(f"{deployment.entry_url}/echo/{text}", timeout=5) as answer:
        return json.load(answer)["text"]


def test_it_is_up_and_serves(containers):
    """Every service and store runs in a container of its own, answers, and is known by its process."""
    assert containers.unhealthy() == ()
    assert echo(containers, "hello") == "hello"
    found = {instance.service: instance for instance in containers.instances()}
    assert set(found) == {"front", "back", "notes", "cache"}
    assert {instance.state for instance in found.values()} == {"running"}
    assert len({instance.pid for instance in found.values()}) == 4
    assert {instance.instance_id for instance in found.values()} == {f"{name}-1" for name in found}


def test_everything_carries_the_labels_of_its_owner_and_is_published_on_loopback_alone(containers, engine):
    """A person, our sweep and testcontainers' reaper can tell whose it is; nobody outside this machine reaches it."""
    label = f"{docker_engine.DEPLOYMENT}={containers.ref['id']}"
    found = engine.containers.list(filters={"label": label})
    assert {one.labels[docker_engine.SERVICE] for one in found} == {"host", "front", "back", "notes", "cache"}
    for one in found:
        assert processes.owner_alive(one.labels[docker_engine.OWNER])
        assert one.labels["org.testcontainers"] == "true"
        published = [binding for bindings in one.ports.values() for binding in bindings or ()]
        assert published
        assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}
        assert set(one.attrs["NetworkSettings"]["Networks"]) == {containers.network()}


def sources(deployment, kind):
    """The sources of a kind by service."""
    return {source.service: source for source in deployment.sources() if isinstance(source, kind)}


def said_by(deployment, service, since_ns):
    """What the engine took from a service since a time."""
    source = sources(deployment, EngineOutput)[service]
    return output(source.engine, source.container, since_ns, stderr=source.stderr)


def test_spans_logs_metrics_and_coverage_come_as_from_processes(containers):
    """Files, output and pages are where the collectors look for them; the agent asks for the token."""
    echo(containers, "told")
    back = instance_of(containers, "back")
    spans = [json.loads(line) for line in sources(containers, SpanFile)["back"].path.read_text().splitlines()]
    assert {(span["service_name"], span["service_instance_id"]) for span in spans} == {("back", back.instance_id)}
    page = urllib.request.urlopen(sources(containers, MetricsPage)["back"].url, timeout=5).read().decode()
    assert 'rpc_server_requests_total{method="Echo"' in page
    store = urllib.request.urlopen(sources(containers, MetricsPage)["notes"].url, timeout=5).read().decode()
    assert "pg_xact_commit_total" in store
    said = b"\n".join(line for _, line in said_by(containers, "notes", 1))
    assert b"ready to accept connections" in said
    assert list(need(containers, Agent, "back").ask("/coverage/snapshot", {"reset": False})["files"]) == [
        "demo/back.py"
    ]
    url = containers.described("back")["agent_url"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(f"{url}/coverage/snapshot", b"{}"), timeout=5)


def test_the_engine_keeps_what_a_service_logs_and_when_it_took_it(containers):
    """Also of a process that was killed; and only since the time that is asked for."""
    since = clock.now_ns()
    echo(containers, "first")
    need(containers, Lifecycle, "back").kill()
    clock.wait_until(lambda: containers.answers("back"), timeout_s=20, what="the next process")
    between = clock.now_ns()
    echo(containers, "second")
    until = clock.now_ns()

    def instances(begin):
        taken = [(when, json.loads(line)) for when, line in said_by(containers, "back", begin)]
        assert all(begin - 1_000 <= when for when, _ in taken)  # to the microsecond, as numbers of seconds go
        assert all(record["time_unix_nano"] <= when for when, record in taken)
        return {record["service_instance_id"] for _, record in taken if record["trace_id"]}

    clock.wait_until(lambda: instances(between), timeout_s=10, what="the lines of the last request")
    assert len(instances(since)) == 2
    assert len(instances(between)) == 1
    assert list(said_by(containers, "back", until + 60 * 10**9)) == []


def test_a_log_that_waits_for_the_disk_is_on_disk_and_with_the_engine(containers):
    """Waited for in a file, as a busy disk must be felt; what the collectors read is whole."""
    since = clock.now_ns()
    path = containers.directory / "logs" / "back.log"
    before = path.stat().st_size
    need(containers, Agent, "back").ask("/log/durable", {"on": True})
    try:
        echo(containers, "kept")
        clock.wait_until(lambda: path.stat().st_size > before, timeout_s=10, what="the lines of the request")
        assert need(containers, Agent, "back").ask("/log/durable", {})["waited_s"] > 0
    finally:
        need(containers, Agent, "back").ask("/log/durable", {"on": False})
    kept = path.read_bytes()[before:].splitlines()
    assert kept
    said = lambda: [line for _, line in said_by(containers, "back", since)]  # noqa: E731
    clock.wait_until(lambda: len(said()) >= len(kept), timeout_s=10, what="the engine to have them too")
    assert said()[: len(kept)] == kept


def test_stats_are_of_the_service_itself(containers):
    """CPU, memory and threads of its process."""
    stats = containers.stats("back")
    assert stats.cpu_s > 0
    assert stats.memory_bytes > 5e6
    assert stats.threads >= 1
    assert not stats.stopped


def test_a_killed_service_comes_back_by_the_engine_as_another_instance(containers):
    """The restart policy is the engine's, and the count of instances goes on."""
    before = instance_of(containers, "back")
    need(containers, Lifecycle, "back").kill()
    clock.wait_until(lambda: containers.answers("back"), timeout_s=60, what="it to be back")
    after = instance_of(containers, "back")
    assert after.pid != before.pid
    assert after.restarts == before.restarts + 1
    assert echo(containers, "again") == "again"


def test_a_stopped_service_has_no_name_until_it_is_started(containers):
    """Stop and start are idempotent; callers see at once that the name is not known."""
    for _ in range(2):
        need(containers, Lifecycle, "back").stop()
    assert instance_of(containers, "back").state == "stopped"
    assert containers.unhealthy() == ("back",)
    with pytest.raises(urllib.error.HTTPError) as caught:
        echo(containers, "nobody")
    assert "resolve host" in caught.value.read().decode()
    for _ in range(2):
        need(containers, Lifecycle, "back").start()
    assert echo(containers, "there") == "there"


def test_a_helper_program_runs_inside_the_container(containers):
    """In its control group and network; it is known by its pid here and ended with its children."""
    service = instance_of(containers, "back")
    inside = need(containers, LocalProcess, "back").inner_pid()
    assert inside != service.pid
    pid = _programs.start(containers, "back", "governor", "load", pid=inside, duty_ms=20, period_ms=100, burners=1)
    assert need(containers, Programs, "back").running() == {"load": pid}
    for kind in ("net", "pid"):
        spaces = {Path(f"/proc/{one}/ns/{kind}").readlink() for one in (pid, service.pid)}
        assert len(spaces) == 1, kind
    assert Path(f"/proc/{pid}/cgroup").read_text() == Path(f"/proc/{service.pid}/cgroup").read_text()
    with pytest.raises(DeploymentError, match="already runs"):
        _programs.start(containers, "back", "governor", "load", pid=inside, duty_ms=20, period_ms=100, burners=1)
    need(containers, Programs, "back").end("load")
    assert need(containers, Programs, "back").running() == {}
    assert processes.start_time(pid) is None
    assert not containers.stats("back").stopped


def test_a_program_of_this_machine_runs_on_this_machine(containers):
    """Only what stands alone can be handed over to a container."""
    pid = need(containers, Programs, "back").run([sys.executable, "-c", "input()"], name="here", deadline_s=30)
    need(containers, Programs, "back").end("here")
    assert processes.start_time(pid) is None


def test_a_listener_moves_aside_and_back(containers):
    """Seen from inside the container's network, where the new port is."""
    listener = need(containers, Listener, "back")
    detour = listener.detour()
    # it takes the port once the service has let go of it
    code = f"import socket, time\nwhile True:\n  try:\n    s = socket.create_server(('', {detour.listen}))\n"
    code += "    time.sleep(60)\n  except OSError:\n    time.sleep(0.01)\n"
    file = containers.directory / "taker.py"
    file.write_text(code)
    need(containers, Programs, "back").run([sys.executable, "-I", "-S", str(file)], name="taker", deadline_s=60)
    listener.divert(detour)
    assert listener.is_listening(detour.upstream)
    assert not containers.answers("back")
    need(containers, Programs, "back").end("taker")
    listener.restore()
    assert not listener.is_listening(detour.upstream)
    assert containers.answers("back")


def test_any_process_can_attach(containers):
    """By the ref alone, which is JSON."""
    again = DockerRuntime().attach(json.loads(json.dumps(dict(containers.ref))))
    assert [one.pid for one in again.instances()] == [one.pid for one in containers.instances()]
    with pytest.raises(DeploymentError, match="did you mean back"):
        instance_of(again, "bak")


def test_who_looks_at_any_moment_finds_a_killed_service_killed(containers):
    """However it died: until its program takes orders again it has no process, and then it is a young, new instance.

    There is no moment in which the old number belongs to a process that has just begun.
    """
    fault, looks = KillService(once=True), []
    before = instance_of(containers, "back")
    processes.send(before.pid, before.start_time, signal.SIGKILL)

    def is_back() -> bool:
        looks.append(instance_of(DockerRuntime().attach(containers.ref), "back"))
        return looks[-1].state == "running" and not processes.is_same(before.pid, before.start_time)

    clock.wait_until(is_back, timeout_s=60, what="it to be back", every_s=0.001)
    gone = [look for look in looks[:-1] if look.pid != before.pid]
    assert {look.state for look in gone} <= {"restarting"}
    assert {look.pid for look in gone} <= {None}
    assert looks[-1].restarts == before.restarts + 1
    assert fault.active(containers, "back").evidence["restarts"] == before.restarts + 1
    assert need(containers, Agent, "back").ask("/healthz") is not None
    clock.wait_until(lambda: containers.answers("back"), timeout_s=60, what="its answer")
