"""Containers in trouble: leftovers, no engine, no image, no memory, taken names, services that can't start."""

from __future__ import annotations

import contextlib
import itertools
import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from container_demo import DEMO, ours

from pytest_anomod.cli import main
from pytest_anomod.host import processes
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.system import Replica, System
from pytest_anomod.runtimes import choice
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker import image as docker_image
from pytest_anomod.runtimes.docker import runtime as docker
from pytest_anomod.runtimes.docker.deployment import DockerDeployment
from pytest_anomod.runtimes.docker.runtime import DockerRuntime
from pytest_anomod.safety import sessions

GONE = {
    "cpu_contention": {},
    "pause_service": {},
    "stop_service": {},
    "kill_service": {"once": True},
    "network_delay": {"delay_ms": 50},
    "code_return": {"function": "back:Back.echo", "value": 7, "probe": "Echo", "arguments": {"text": "hello"}},
}
"""Faults that reach their target by different ways."""
NOWHERE = "unix:///nonexistent/docker.sock"


def test_the_sweep_finds_by_label_what_no_journal_tells_of(engine, docker_session, bystanders):
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
        DockerRuntime().sweep()  # someone else's may have been a moment quicker, so what it says is no matter here
        left = {network.id for network in engine.networks.list()}
        assert made[0].id in left
        assert made[1].id not in left
    finally:
        docker_engine.remove_all(engine, f"{docker_engine.DEPLOYMENT}=alive")


def test_what_is_not_ours_is_not_touched_in_a_whole_life(docker_session, bystanders, capsys):
    """Up, kill, stop, sweep, down: whoever has names or labels like ours goes on as it was (the fixture looks)."""
    runtime = DockerRuntime()
    deployment = runtime.up(DEMO, docker_session)
    need(deployment, Lifecycle, "back").kill()
    need(deployment, Lifecycle, "cache").stop()
    bystanders.look()
    runtime.sweep()
    assert deployment.answers("front")
    runtime.down(deployment)
    assert main(["clean"]) == 0


def test_a_service_that_cannot_start_is_told_with_its_last_words(docker_session):
    """Its container ends again and again; nothing of the attempt stays (the session's fixture looks)."""
    broken = System(
        name="broken", services=(), entry="sick-service", journeys=(), deploys=(Replica(package="demo.broken"),)
    )
    with pytest.raises(DeploymentError, match=r"(?s)sick-service.*the cellar is flooded"):
        DockerRuntime().up(broken, docker_session)


def test_a_name_that_is_taken_is_told(engine, docker_session, monkeypatch):
    """Of a container by the engine's own words, of a network by ours; what had started is gone, the other's stays."""
    monkeypatch.setattr(docker, "_numbers", itertools.count(77))
    name = f"{docker_session.directory.name}-77-demo-system"
    taken = engine.containers.create(docker_image.image_name(), ["x"], name=f"{name}-host")
    network = engine.networks.create(name.replace("-77-", "-78-"))
    try:
        with pytest.raises(DeploymentError, match=f"{name}-host.*already in use"):
            DockerRuntime().up(DEMO, docker_session)
        with pytest.raises(DeploymentError, match=f"network '{network.name}' is there already"):
            DockerRuntime().up(DEMO, docker_session)
        assert ours(engine, f"{docker_engine.SESSION}={docker_session.directory.name}") == []
    finally:
        taken.remove()
        network.remove()


def test_an_image_that_is_not_there_or_not_ours_is_refused(engine, docker_session, monkeypatch):
    """Before anything is started; the message says what to do."""
    monkeypatch.setenv(docker_image.IMAGE, "no-such-image:1")
    with pytest.raises(DeploymentError, match="anomod image build"):
        DockerRuntime().up(DEMO, docker_session)
    with imported(engine) as name:
        monkeypatch.setenv(docker_image.IMAGE, name)
        with pytest.raises(DeploymentError, match="no services or agents of ours"):
            DockerRuntime().up(DEMO, docker_session)
    with imported(engine, f"LABEL {docker_image.CONTENT}=other") as name:
        monkeypatch.setenv(docker_image.IMAGE, name)
        with pytest.raises(DeploymentError, match="was made from other code"):
            DockerRuntime().up(DEMO, docker_session)


def test_an_image_that_only_claims_to_be_ours_is_told(engine, docker_session, monkeypatch):
    """Its program can't be started, and nothing of the attempt stays."""
    with imported(engine, f"LABEL {docker_image.CONTENT}={docker_image.content_hash()}") as name:
        monkeypatch.setenv(docker_image.IMAGE, name)
        with pytest.raises(DeploymentError, match=r"(?s)container of 'host' ended with code 127.*No such file"):
            DockerRuntime().up(DEMO, docker_session)
        assert ours(engine, f"{docker_engine.SESSION}={docker_session.directory.name}") == []


@contextlib.contextmanager
def imported(engine, *changes):
    """The name of an image with nothing in it."""
    name = f"foreign-{uuid.uuid4().hex[:8]}"
    engine.api.import_image_from_data(b"\0" * 1024, repository=name, tag="1", changes=changes)  # an empty archive
    try:
        yield f"{name}:1"
    finally:
        engine.images.remove(f"{name}:1", force=True)


def test_a_container_without_memory_is_told(docker_session, monkeypatch):
    """The kernel kills it at its start; the message says that it was for want of memory."""
    from testcontainers.core.container import DockerContainer

    with_kwargs = DockerContainer.with_kwargs
    narrow = {"mem_limit": "12m", "memswap_limit": "12m"}
    monkeypatch.setattr(DockerContainer, "with_kwargs", lambda self, **words: with_kwargs(self, **words, **narrow))
    with pytest.raises(DeploymentError, match=r"container of 'host' was killed by the kernel, for want of memory"):
        DockerRuntime().up(DEMO, docker_session)


def test_a_fault_aimed_at_a_container_that_is_gone_is_refused(engine, docker_session):
    """Somebody removed it in the middle: each way to hit it says so, the rest goes on and can be taken down."""
    runtime, native = DockerRuntime(), catalog.find("injectors", "native")
    deployment = runtime.up(DEMO, docker_session)
    engine.containers.get(deployment.container("back")).remove(force=True)
    assert instance_of(deployment, "back").state == "stopped"
    assert deployment.unhealthy() == ("back",)

    def put_in(fault) -> None:
        native.prepare(fault, deployment, "back")
        native.inject(fault, deployment, "back")
        pytest.fail(f"{fault} says that it went in")

    for name, parameters in GONE.items():
        with pytest.raises((DeploymentError, InjectionError), match=r"'back'|-back\b"):
            put_in(catalog.make_fault(name, parameters))
    runtime.down(deployment)


def test_a_daemon_that_dies_in_the_middle_is_told(docker_session, relay):
    """What runs goes on and can be looked at; what needs the engine says that it is gone; afterwards all is cleared."""
    runtime = DockerRuntime()
    deployment = runtime.up(DEMO, docker_session)
    before = instance_of(deployment, "front")
    relay.cut()
    for act in (lambda: need(deployment, Lifecycle, "back").stop(), lambda: runtime.down(deployment)):
        with pytest.raises(DeploymentError, match="Docker engine"):
            act()
    assert instance_of(deployment, "front").pid == before.pid
    assert deployment.unhealthy() == ()
    relay.mend()
    runtime.down(deployment)


def test_a_daemon_that_dies_in_a_boot_is_told(engine, docker_session, relay):
    """The boot fails with the reason; what had started goes as soon as the daemon is back."""
    label = f"{docker_engine.SESSION}={docker_session.directory.name}"

    def cut_once_there_are_some() -> None:
        clock.wait_until(lambda: len(ours(engine, label)) > 2, timeout_s=60, what="the first containers")
        relay.cut()

    with ThreadPoolExecutor(1) as thread:
        cutting = thread.submit(cut_once_there_are_some)
        with pytest.raises(DeploymentError, match="Docker engine"):
            DockerRuntime().up(DEMO, docker_session)
        cutting.result()
    assert ours(engine, label)
    relay.mend()
    lines = sessions.end_session(docker_session)
    assert any("took down deployment of 'demo'" in line for line in lines), lines


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
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: no Docker daemon answers at {NOWHERE}*--anomod-runtime=process*"])
