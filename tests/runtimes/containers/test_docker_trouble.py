"""Containers and bad worlds: killed owners, leftovers, no engine, no image, a service that can't start."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from container_demo import DEMO, ours
from engine_relay import EngineRelay

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import System
from pytest_anomod.runtimes import choice, docker, docker_engine, docker_image, processes
from pytest_anomod.runtimes.docker import DockerRuntime
from pytest_anomod.runtimes.docker_deployment import DockerDeployment

NOWHERE = "unix:///nonexistent/docker.sock"
WITHIN_S = 10.0


@pytest.fixture
def docker_owner(tmp_path, monkeypatch):
    """A program that owns containers, and can be killed."""
    program = Path(__file__).with_name("docker_owner.py")
    process = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, start_new_session=True, text=True, cwd=tmp_path
    )
    told = json.loads(process.stdout.readline() or "{}")
    process.stdout.close()

    def kill() -> None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    yield told, kill
    if process.poll() is None:
        kill()


def test_a_killed_owner_leaves_nothing_within_ten_seconds(engine, docker_owner, stranger, tmp_path):
    """No container, network, program or file; and what is none of ours is not touched."""
    told, kill = docker_owner
    label = f"{docker_engine.DEPLOYMENT}={told['ref']['id']}"
    assert len(ours(engine, label)) == 6
    assert processes.start_time(told["helper"]) is not None
    kill()
    began = time.monotonic()
    gone = lambda: not ours(engine, label) and not Path(told["directory"]).exists()  # noqa: E731
    clock.wait_until(gone, timeout_s=60.0, what="everything of the dead owner to be gone")
    assert processes.start_time(told["helper"]) is None
    if os.getloadavg()[0] < os.cpu_count():  # a promise for a machine that is not busy otherwise
        assert time.monotonic() - began < WITHIN_S


def test_the_sweep_finds_by_label_what_no_journal_tells_of(engine, docker_session, stranger):
    """The tag says whose it is: a dead owner's goes, a living one's stays."""
    alive = processes.own_tag("alive")
    dead = alive.replace(f"{os.getpid()}:", "1:", 1)
    made = [
        engine.networks.create(
            f"net-{name}-{os.getpid()}", labels={docker_engine.OWNER: tag, docker_engine.DEPLOYMENT: name}
        )
        for name, tag in (("alive", alive), ("dead", dead))
    ]
    try:
        lines = DockerRuntime().sweep()
        assert any("left by dead session dead" in line for line in lines)
        left = {network.id for network in engine.networks.list()}
        assert made[0].id in left
        assert made[1].id not in left
    finally:
        docker_engine.remove_all(engine, f"{docker_engine.DEPLOYMENT}=alive")


def test_a_service_that_cannot_start_is_told_with_its_last_words(docker_session):
    """Its container ends again and again; nothing of the attempt stays (the session's fixture looks)."""
    broken = System(name="broken", services=(), entry="sick-service", journeys=(), replica="demo.broken")
    with pytest.raises(DeploymentError, match=r"(?s)sick-service.*the cellar is flooded"):
        DockerRuntime().up(broken, docker_session)


def test_a_name_that_is_taken_is_told(engine, docker_session, monkeypatch):
    """By the engine's own words; what had started is gone."""
    monkeypatch.setattr(docker, "_numbers", itertools.count(77))
    name = f"{docker_session.directory.name}-77-demo-system-host"
    taken = engine.containers.create(docker_image.image_name(), ["x"], name=name)
    try:
        with pytest.raises(DeploymentError, match=f"{name}.*already in use"):
            DockerRuntime().up(DEMO, docker_session)
    finally:
        taken.remove(force=True)


def test_an_image_that_is_not_there_or_not_ours_is_refused(engine, docker_session, monkeypatch):
    """Before anything is started; the message says what to do."""
    monkeypatch.setenv(docker_image.IMAGE, "no-such-image:1")
    with pytest.raises(DeploymentError, match="anomod image build"):
        DockerRuntime().up(DEMO, docker_session)
    foreign = f"foreign-{os.getpid()}:1"
    engine.api.import_image_from_data(b"\0" * 1024, repository=foreign.partition(":")[0], tag="1")  # an empty archive
    monkeypatch.setenv(docker_image.IMAGE, foreign)
    with pytest.raises(DeploymentError, match="no services or agents of ours"):
        DockerRuntime().up(DEMO, docker_session)
    engine.images.remove(foreign)


def test_a_daemon_that_dies_in_the_middle_is_told(engine, docker_session, monkeypatch, tmp_path):
    """What runs goes on and can be looked at; what needs the engine says that it is gone; afterwards all is cleared."""
    url = docker_engine.engine_url()
    if not url.startswith("unix://"):
        pytest.skip(f"the engine at {url} is not behind a socket of this machine")
    relay = EngineRelay(tmp_path / "engine.sock", url.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", relay.url)
    runtime = DockerRuntime()
    deployment = runtime.up(DEMO, docker_session)
    before = deployment.instance("front")
    relay.cut()
    for act in (lambda: deployment.stop("back"), lambda: runtime.down(deployment)):
        with pytest.raises(DeploymentError, match="Docker engine"):
            act()
    assert deployment.instance("front").pid == before.pid
    assert deployment.unhealthy() == ()
    relay.mend()
    runtime.down(deployment)
    relay.cut()


def test_without_a_daemon_every_call_says_so(monkeypatch, tmp_path):
    """A system can't be brought up, nor one that was up be spoken to; no traceback of a library."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    with pytest.raises(DeploymentError, match="no Docker daemon answers at unix:///nonexistent"):
        docker_engine.connect(NOWHERE)
    ref = {"runtime": "docker", "system": "demo", "directory": str(tmp_path), "undo": str(tmp_path / "undo.jsonl")}
    lost = DockerDeployment({**ref, "tag": "", "id": "x", "engine": NOWHERE, "local": True})
    with pytest.raises(DeploymentError, match="no Docker daemon answers"):
        lost.client.ping()


def test_auto_takes_processes_at_once_where_no_daemon_is(monkeypatch):
    """And says why."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    name, why = choice.choose.__wrapped__()
    assert (name, NOWHERE in why) == ("process", True)


def test_the_images_name_tells_its_content(monkeypatch):
    """Another version of a library, or other code, is another image."""
    name = docker_image.content_hash()
    assert docker_image.content_hash.__wrapped__() == name
    monkeypatch.setattr(docker_image, "requirements", lambda: ("orjson==0",))
    assert docker_image.content_hash.__wrapped__() != name


def test_without_a_daemon_containers_are_refused_at_collection(pytester, monkeypatch):
    """One line for who asked for them, before anything is started."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    text = "from pytest_anomod import anomaly\n@anomaly(system='social_network')\ndef test_it(case):\n    case.run()\n"
    pytester.makepyfile(text)
    result = pytester.runpytest("--anomod-runtime=docker")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*no Docker daemon answers at {NOWHERE}*--anomod-runtime=process*"])
