"""A PostgreSQL store as its administrator sees it: settings, and how long a commit takes.

A probe must not show in a store's figures. So sessions use the server's own database `postgres`, where there is one,
because each transaction counts in the figures of its database; they keep their errors out of the log, as far as they
may; and looks share a session, opened in `prepare`, because opening one costs CPU and memory.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pytest_anomod.model import clock
from pytest_anomod.model.capability import StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    import asyncio

    from pytest_anomod.model.runtime import Deployment

    Question = Callable[[Any], Awaitable[Any]]

ENGINE = "postgresql"
_AT_MOST_S = 1.5
_ADMINISTRATION = "postgres"
"""The database that a server has for whoever is no user of any other."""
_kept: dict[tuple[str, bool], Any] = {}
"""The sessions of looks by URL, and whether they are with the services' own database."""


def ask(deployment: Deployment, target: str, question: Question) -> Any:
    """Open a session, hand it to `question`, return its answer; InjectionError when the store can't be reached."""
    import asyncio

    return asyncio.run(_ask(_dsn(deployment, target), target, question))


def look(deployment: Deployment, target: str, question: Question, *, inside: bool = False) -> Any:
    """The same in a session that stays open for the next look; `inside`: one with the services' own database."""
    return _runner().run(_look(_dsn(deployment, target), target, question, inside))


def _dsn(deployment: Deployment, target: str) -> str:
    return need(deployment, StoreLogin, target).dsn()


@functools.cache
def _runner() -> asyncio.Runner:
    """The event loop of the sessions that are kept."""
    import asyncio

    runner = asyncio.Runner()

    async def end() -> None:
        for session in _kept.values():
            session.terminate()
        _kept.clear()

    def close() -> None:
        runner.run(end())
        runner.close()

    atexit.register(close)
    return runner


async def _look(dsn: str, target: str, question: Question, inside: bool) -> Any:
    """Only a session that was closed meanwhile is opened anew: one in which something went wrong is not trusted."""
    session = _kept.pop((dsn, inside), None)
    with _told(target):
        if session is None or session.is_closed():
            session = await _connect(dsn, inside)
        try:
            answer = await question(session)
        except BaseException:  # interrupts too
            session.terminate()
            raise
    _kept[dsn, inside] = session
    return answer


async def _ask(dsn: str, target: str, question: Question) -> Any:
    with _told(target):
        session = await _connect(dsn)
        try:
            return await question(session)
        finally:
            await session.close(timeout=2.0)


async def _connect(dsn: str, inside: bool = False) -> Any:
    """A session whose errors don't stand in the server's log: those of a superuser, as others may not keep them out."""
    import asyncpg

    session = None
    if not inside:
        with contextlib.suppress(asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError):
            session = await asyncpg.connect(_of_administration(dsn), timeout=5.0, command_timeout=20.0)
    session = session or await asyncpg.connect(dsn, timeout=5.0, command_timeout=20.0)
    if session.get_settings().is_superuser == "on":
        if inside:
            await session.execute("BEGIN")  # whoever asks in there ends it: each transaction counts
        await session.execute("SET log_min_messages = panic; SET track_counts = off")
    return session


def _of_administration(dsn: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{_ADMINISTRATION}"))


@contextlib.contextmanager
def _told(target: str) -> Iterator[None]:
    """Turn whatever fails in a session into InjectionError."""
    try:
        import asyncpg
    except ImportError as error:
        msg = f'speaking to PostgreSQL needs asyncpg ({error}): pip install "pytest-anomod[replicas]"'
        raise InjectionError(msg) from error
    try:
        yield
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        msg = f"PostgreSQL {target!r} gave no good answer: {type(error).__name__}: {error}"
        raise InjectionError(msg) from error


async def originals(session: Any, names: Mapping[str, str]) -> dict[str, Json]:
    """Value in force and value set by ALTER SYSTEM (None if there is none) of each setting."""
    found = {}
    for name in names:
        altered = await session.fetchval(
            "SELECT setting FROM pg_file_settings WHERE name = $1 AND sourcefile LIKE '%/postgresql.auto.conf'", name
        )
        found[name] = {"value": await session.fetchval("SELECT current_setting($1)", name), "altered": altered}
    return found


async def set_all(session: Any, values: Mapping[str, str], server: int | None = None) -> None:
    """Set by ALTER SYSTEM, and wait until every setting is in force.

    With the pid of a `server` whose processes we may signal, each session is told by itself, which is not logged: those
    that exist have the new values then, later ones have the old ones. Else the server is told, and logs it.
    """
    for name, value in values.items():
        await session.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await _reload(session, values, server)


async def put_back(session: Any, before: Mapping[str, Json], server: int | None = None) -> None:
    """Undo set_all by what `originals` found before it, in the same way."""
    for name, was in before.items():
        if was["altered"] is None:
            await session.execute(f"ALTER SYSTEM RESET {name}")
        else:
            await session.execute(f"ALTER SYSTEM SET {name} = '{was['altered']}'")
    await _reload(session, {name: was["value"] for name, was in before.items()}, server)


async def _reload(session: Any, wanted: Mapping[str, str], server: int | None) -> None:
    import asyncio

    until = clock.monotonic_s() + 5.0
    while True:
        if server is None or not _tell_sessions(server, session.get_server_pid()):
            await session.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.02)  # the server reads a new file some time later
        now = {name: await session.fetchval("SELECT current_setting($1)", name) for name in wanted}
        if now == dict(wanted):
            return
        if clock.monotonic_s() > until:
            msg = (
                f"PostgreSQL runs with {now} although {dict(wanted)} was set; is it given on the server's command line?"
            )
            raise InjectionError(msg)


async def read_anew(session: Any, server: int) -> None:
    """Have a session itself read the settings of its server anew."""
    import asyncio

    if _tell_sessions(server, session.get_server_pid(), only=True):
        await asyncio.sleep(0.05)


def _tell_sessions(server: int, own: int, *, only: bool = False) -> bool:
    """Have the processes of a server read its settings anew, as it has them do itself; not if ours is none of them."""
    import psutil

    try:
        children = psutil.Process(server).children()
        ours = [child for child in children if child.pid == own]
        if not ours:
            return False
        for child in ours if only else children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGHUP)
    except psutil.Error:  # none of ours to be signalled
        return False
    return True


async def commit_times_s(session: Any, count: int, every_s: float = 0.0) -> list[float]:
    """Seconds of up to `count` small commits, sorted, at least one; each a few bytes of log that no table sees."""
    import asyncio

    times: list[float] = []
    began = clock.monotonic_s()
    while len(times) < count and clock.monotonic_s() - began < _AT_MOST_S:
        start = clock.monotonic_s()
        await session.execute("SELECT pg_logical_emit_message(true, '', '')")
        times.append(clock.monotonic_s() - start)
        await asyncio.sleep(every_s)
    return sorted(times)


async def calm_commits_s(session: Any) -> list[float]:
    """Have all that was not yet on disk written, then time commits until they are even (or for 5 s); sorted seconds."""
    await session.execute("CHECKPOINT")
    until = clock.monotonic_s() + 5.0
    while True:
        times = await commit_times_s(session, 25, every_s=0.01)
        if times[len(times) * 9 // 10] < 4 * times[len(times) // 2] or clock.monotonic_s() > until:
            return times


async def journal_writes(session: Any) -> tuple[int, float]:
    """How often all sessions wrote to the server's journal so far, and the seconds they waited for that.

    A session tells of that once a second. The seconds are 0 without track_wal_io_timing.
    """
    row = await session.fetchrow("SELECT wal_write, wal_write_time / 1000.0 FROM pg_stat_wal")
    return row[0], row[1]
