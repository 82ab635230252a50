"""kill -9 of the owner of a compose system while faults are in: nothing is left, other projects are not touched."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from live_system import WHERE, things

from pytest_anomod.host import ports, processes
from pytest_anomod.model import clock
from pytest_anomod.runtimes.compose import cli
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.safety import sessions

GONE_AT_LAST_S = 60.0
"""On a busy machine; on a calm one it is some seconds, which the property says."""
TOGETHER = {
    "processes and programs": [
        ["cpu_contention", {}, "front"],
        ["pause_service", {}, "middle"],
        ["kill_service", {}, "back"],
    ],
    "network and limits": [
        ["network_loss", {"percent": 50}, "back"],
        ["network_delay", {"delay_ms": 80}, "front"],
        ["dns_failure", {"peers": ["back"]}, "middle"],
        ["http_delay", {"delay_ms": 200}, "middle"],
        ["memory_pressure", {}, "front"],
        ["disk_throttle", {}, "back"],
    ],
    "requests and order": [
        ["http_abort", {"percent": 70, "method": "GET"}, "middle"],
        ["network_partition", {"peers": ["middle"]}, "front"],
        ["network_bandwidth", {"rate_kbit": 128}, "front"],
        ["stop_service", {}, "back"],
    ],
}


@pytest.fixture
def strangers(engine, tiny):
    """A project of somebody else's of the same image and service names; it must be as it was."""
    file = tiny / "strangers.yaml"
    text = (tiny / "compose.yaml").read_text().replace('"8080:8000"', '"8000"')
    file.write_text(text.replace("build: .", "build: .\n    image: tiny-front"))  # the image that the others name
    words = [*cli.find()[0], "--project-name", "somebody-elses", "--file", str(file), "--progress", "quiet"]
    subprocess.run([*words, "build"], check=True)
    subprocess.run([*words, "up", "--detach"], check=True)
    label = "com.docker.compose.project=somebody-elses"

    def look():
        rows = engine.api.containers(all=True, filters={"label": label})
        states = {row["Names"][0]: engine.api.inspect_container(row["Id"])["State"] for row in rows}
        kept = {name: [state[key] for key in ("Status", "Pid", "StartedAt")] for name, state in states.items()}
        return kept, sorted(things(engine, label))

    before = look()
    yield
    after = look()
    subprocess.run([*words, "down", "--volumes"], check=True)
    assert len(before[0]) == 4
    assert after == before, "something that is none of ours was touched"


@pytest.fixture
def owner(engine, tiny, tmp_path):
    """Starts a program that owns a system; what it told, and how to kill it. None outlives the test."""
    started = []

    def start(faults):
        program = Path(__file__).with_name("compose_owner.py")
        process = subprocess.Popen(
            [sys.executable, str(program), json.dumps(faults)],
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, WHERE: str(tiny)},
        )
        started.append(process)
        line = process.stdout.readline()
        assert line, f"the owner of {faults} ended with {process.wait()} before all was in"
        return json.loads(line), lambda: kill(process)

    yield start
    for process in started:
        kill(process)
        process.stdout.close()
    sessions.sweep()


def kill(process):
    """SIGKILL to its process group, as a shell or a CI runner does."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def processes_of(ids) -> dict[int, float]:
    """Processes in the control groups of containers, programs of ours included."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (path / "cgroup").read_text()
            started = processes.start_time(int(path.name)) if any(one in text for one in ids) else None
            if started is not None:
                found[int(path.name)] = started
    return found


@pytest.mark.parametrize("together", TOGETHER)
def test_nothing_is_left_of_a_killed_owner(together, engine, owner, strangers, record_property):
    """No container, network, volume, process, port or file."""
    told, kill_it = owner(TOGETHER[together])
    ref = told["ref"]
    label = f"{docker_engine.DEPLOYMENT}={ref['id']}"
    rows = engine.api.containers(all=True, filters={"label": label})
    taken = [port["PublicPort"] for row in rows for port in row["Ports"] if port.get("PublicPort")]
    had = processes_of([row["Id"] for row in rows]) | processes.tagged(lambda tag: tag == ref["tag"])
    assert len(things(engine, label)) == 6
    assert len(had) >= 2

    def left() -> list[str]:
        alive = [str(pid) for pid, started in had.items() if processes.is_same(pid, started)]
        alive += [str(pid) for pid in processes.tagged(lambda tag: tag == ref["tag"])]
        used = [str(port) for port in taken if not ports.is_free(port)]
        return [*things(engine, label), *alive, *used, *map(str, Path(ref["directory"]).parents[1].glob("*"))]

    kill_it()
    began = time.monotonic()
    clock.wait_until(lambda: not left(), timeout_s=GONE_AT_LAST_S, what=f"all of the dead owner to be gone: {left()}")
    record_property("seconds_until_nothing_is_left", round(time.monotonic() - began, 1))


def test_an_owner_that_dies_while_it_starts_leaves_nothing(engine, tiny, tmp_path):
    """The compose command that it had started ends too, and what that had made is gone."""
    program = Path(__file__).with_name("compose_owner.py")
    process = subprocess.Popen(
        [sys.executable, str(program), "[]"],
        stdout=subprocess.PIPE,
        start_new_session=True,
        cwd=tmp_path,
        env={**os.environ, WHERE: str(tiny)},
    )

    def owned() -> list[str]:
        rows = engine.api.containers(all=True, filters={"label": docker_engine.OWNER})
        rows += engine.api.networks(filters={"label": docker_engine.OWNER})
        tags = [row["Labels"][docker_engine.OWNER] for row in rows]
        return [tag for tag in tags if tag.startswith(f"{process.pid}:")]

    try:
        clock.wait_until(owned, timeout_s=60, what="the first that it makes", every_s=0.01)
    finally:
        kill(process)
        process.stdout.close()
    clock.wait_until(lambda: not owned(), timeout_s=GONE_AT_LAST_S, what="all of it to be gone")
    clock.sleep(2.0)  # what the engine was still doing when the command was killed
    assert owned() == []
