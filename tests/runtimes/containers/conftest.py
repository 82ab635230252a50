"""A Docker engine for the tests of its runtime, where one answers and has the image; else they are skipped."""

from __future__ import annotations

import pytest
from container_bystanders import Bystanders
from container_demo import DEMO, ours
from engine_relay import EngineRelay

from pytest_anomod.runtimes import choice
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.runtime import DockerRuntime
from pytest_anomod.safety import guardian, sessions


@pytest.fixture(scope="session")
def engine():
    """A client of the engine; skips where there is none, or no image (`anomod image build`)."""
    name, why = choice.choose()
    if name != "docker":
        pytest.skip(f"no containers here: {why}")
    return docker_engine.connect(docker_engine.engine_url())


@pytest.fixture
def docker_session(engine, tmp_path):
    """A session of ours with its guardian, ended afterwards; nothing of it may be left then."""
    session = sessions.new_session(tmp_path, "run", "gw0")
    guardian.ensure_guardian(session.directory)
    yield session
    assert sessions.end_session(session) == ()
    assert ours(engine, f"{docker_engine.SESSION}={session.directory.name}") == []


@pytest.fixture(scope="module")
def containers(engine, tmp_path_factory, _private_state):
    """The demo replica in containers, shared by the tests of a module."""
    session = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw9")
    runtime = DockerRuntime()
    deployment = runtime.up(DEMO, session)
    yield deployment
    runtime.down(deployment)
    assert sessions.end_session(session) == ()


@pytest.fixture
def bystanders(engine):
    """Containers and a network that are none of ours, though they look like it; they must be as they were."""
    others = Bystanders(engine)
    try:
        before = others.look()
        yield others
        after = others.look()
    finally:
        others.remove()
    assert after == before, "something that is none of ours was touched"


@pytest.fixture
def relay(engine, monkeypatch, tmp_path):
    """The only way to the engine for what asks DOCKER_HOST."""
    url = docker_engine.engine_url()
    if not url.startswith("unix://"):
        pytest.skip(f"the engine at {url} is not behind a socket of this machine")
    relay = EngineRelay(tmp_path / "engine.sock", url.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", relay.url)
    yield relay
    relay.cut()
