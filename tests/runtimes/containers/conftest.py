"""A Docker engine for the tests of its runtime, where one answers and has the image; else they are skipped."""

from __future__ import annotations

import uuid

import pytest
from container_demo import DEMO, ours

from pytest_anomod.runtimes import choice, docker_engine, docker_image, guardian, sessions
from pytest_anomod.runtimes.docker import DockerRuntime


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
def stranger(engine):
    """A container that is none of ours, though it runs our image; it must live on."""
    name = f"stranger-{uuid.uuid4().hex[:8]}"
    container = engine.containers.run(
        docker_image.image_name(), ["-c", "import time; time.sleep(300)"], name=name, entrypoint="python3", detach=True
    )
    yield container
    container.reload()
    status = container.status
    container.remove(force=True)
    assert status == "running", "a container that is none of ours was ended"
