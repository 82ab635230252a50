"""Real systems from compose files, where an engine, a compose command and Go are here; else these tests are skipped.

scripts/with_engine.sh scripts/with_compose.sh tox run -e compose
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from live_system import define, things

from pytest_anomod.host import processes
from pytest_anomod.model import catalog
from pytest_anomod.runtimes.compose import ComposeRuntime, cli
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.safety import guardian, sessions

TINY = Path(__file__).parents[1] / "compose" / "tiny"


@pytest.fixture(scope="session")
def engine():
    """A client of the engine; skips where there is none on this machine, or no compose command."""
    why = docker_engine.why_not() or cli.why_not()
    if why:
        pytest.skip(f"no compose systems here: {why}")
    client = docker_engine.connect(docker_engine.engine_url())
    if not docker_engine.is_local(client):
        pytest.skip("the engine runs on another machine")
    return client


@pytest.fixture(scope="session")
def tiny(engine, tmp_path_factory):
    """The directory of the tiny system, with its program built."""
    if shutil.which("go") is None:
        pytest.skip("there is no Go to build the services with")
    directory = tmp_path_factory.mktemp("tiny") / "tiny"
    shutil.copytree(TINY, directory)
    surroundings = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    words = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "tiny", "."]
    subprocess.run(words, cwd=directory, env=surroundings, check=True)
    return directory


@pytest.fixture(scope="module")
def defined(tiny):
    """The tiny system as a user defines it."""
    before = os.environ.get(catalog.DEFINED_IN)
    system = define(tiny)
    yield system
    catalog._registered.get("systems", {}).pop(system.name, None)
    catalog.offers.cache_clear()
    if before is None:
        os.environ.pop(catalog.DEFINED_IN, None)
    else:
        os.environ[catalog.DEFINED_IN] = before


@pytest.fixture(scope="module")
def live(engine, defined, tmp_path_factory, _private_state):
    """The tiny system up, shared by the tests of a module; nothing of it may be left afterwards."""
    session = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw9")
    runtime = ComposeRuntime()
    deployment = runtime.up(defined, session)
    label = f"{docker_engine.DEPLOYMENT}={deployment.ref['id']}"
    assert things(engine, label)
    yield deployment
    runtime.down(deployment)
    assert things(engine, label) == []
    assert not processes.tagged(lambda tag: tag == deployment.ref["tag"])
    assert sessions.end_session(session) == ()


@pytest.fixture
def compose_session(engine, tmp_path):
    """A session of ours with its guardian, ended afterwards; nothing of it may be left then."""
    session = sessions.new_session(tmp_path, "run", "gw0")
    guardian.ensure_guardian(session.directory)
    yield session
    assert sessions.end_session(session) == ()
    assert things(engine, f"{docker_engine.SESSION}={session.directory.name}") == []
