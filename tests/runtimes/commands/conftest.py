"""A tiny system of commands that the tests of a module share, and a catalog that forgets what tests define."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny_system import define_tiny

from pytest_anomod.model import catalog
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.safety import sessions


@pytest.fixture(scope="session", autouse=True)
def _own_definitions():
    """What is defined here is forgotten after the tests of this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_registered", {})
        patch.setenv(catalog.DEFINED_IN, "")
        yield
    catalog.offers.cache_clear()


@pytest.fixture(autouse=True)
def _forget(_own_definitions):
    """Each test may use the names that another did."""
    yield
    catalog._registered.clear()
    catalog.offers.cache_clear()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, _private_state, _own_definitions):
    """The tiny system, up."""
    directory = tmp_path_factory.mktemp("tiny")
    session = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw8")
    runtime = CommandsRuntime()
    deployment = runtime.up(define_tiny(directory), session)
    yield deployment
    runtime.down(deployment)
    assert sessions.end_session(session) == ()


@pytest.fixture
def commands_owner(owner, monkeypatch):
    """Starts an owner of the tiny system that can be killed."""
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")]))
    return lambda directory: owner(str(directory), program=here / "commands_owner.py")
