"""A state directory of their own for the tests of runtimes, sessions in it, owners to kill, and a system that is up."""

from __future__ import annotations

import owners
import pytest
from demo_of_runtimes import DEMO

from pytest_anomod.runtimes.process.runtime import ProcessRuntime
from pytest_anomod.safety import sessions

_private_state, bystander, owner, session = owners._private_state, owners.bystander, owners.owner, owners.session


@pytest.fixture(scope="module")
def demo(tmp_path_factory, _private_state):
    """A real deployment of the demo replica that the tests of a module share."""
    session = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw9")
    runtime = ProcessRuntime()
    deployment = runtime.up(DEMO, session, coverage=False)
    yield deployment
    runtime.down(deployment)
    assert sessions.end_session(session) == ()
