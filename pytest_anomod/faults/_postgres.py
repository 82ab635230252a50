"""A PostgreSQL store as its administrator sees it: settings, and how long a commit takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import clock
from pytest_anomod.model.capability import StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

ENGINE = "postgresql"
_AT_MOST_S = 1.5


def ask(deployment: Deployment, target: str, question: Callable[[Any], Awaitable[Any]]) -> Any:
    """Open a session, hand it to `question`, return its answer; InjectionError when the store can't be reached."""
    import asyncio

    return asyncio.run(_ask(deployment, target, question))


async def _ask(deployment: Deployment, target: str, question: Callable[[Any], Awaitable[Any]]) -> Any:
    try:
        import asyncpg
    except ImportError as error:
        msg = f'speaking to PostgreSQL needs asyncpg ({error}): pip install "pytest-anomod[replicas]"'
        raise InjectionError(msg) from error
    try:
        session = await asyncpg.connect(need(deployment, StoreLogin, target).dsn(), timeout=5.0, command_timeout=20.0)
        try:
            return await question(session)
        finally:
            await session.close(timeout=2.0)
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


async def set_all(session: Any, values: Mapping[str, str]) -> None:
    """Set by ALTER SYSTEM, and wait until every setting is in force."""
    for name, value in values.items():
        await session.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await _reload(session, values)


async def put_back(session: Any, before: Mapping[str, Json]) -> None:
    """Undo set_all by what `originals` found before it."""
    for name, was in before.items():
        if was["altered"] is None:
            await session.execute(f"ALTER SYSTEM RESET {name}")
        else:
            await session.execute(f"ALTER SYSTEM SET {name} = '{was['altered']}'")
    await _reload(session, {name: was["value"] for name, was in before.items()})


async def _reload(session: Any, wanted: Mapping[str, str]) -> None:
    import asyncio

    until = clock.monotonic_s() + 5.0
    while True:
        await session.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.02)  # the server takes a new file in when it gets round to it
        now = {name: await session.fetchval("SELECT current_setting($1)", name) for name in wanted}
        if now == dict(wanted):
            return
        if clock.monotonic_s() > until:
            msg = (
                f"PostgreSQL runs with {now} although {dict(wanted)} was set; is it given on the server's command line?"
            )
            raise InjectionError(msg)


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


async def log_syncs(session: Any) -> tuple[int, float]:
    """How often the server has flushed its log to disk so far, and the milliseconds it has waited for that."""
    await session.execute("SELECT pg_stat_force_next_flush()")
    row = await session.fetchrow("SELECT wal_sync, wal_sync_time FROM pg_stat_wal")
    return row["wal_sync"], row["wal_sync_time"]
