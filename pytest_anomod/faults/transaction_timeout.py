"""Fault transaction_timeout: a session keeps tables locked, and transactions that wait for a lock are ended."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_anomod.faults import _mysql, _mysql_locks, _postgres
from pytest_anomod.faults._parameters import check_engine, one_of, refuse, whole, within
from pytest_anomod.model import clock
from pytest_anomod.model.capability import LocalProcess, StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_SESSION = "table-maintenance"
"""What the session that holds the locks calls itself: how it is found again, by whoever takes it out."""
_MODES = {"writes": "EXCLUSIVE", "all": "ACCESS EXCLUSIVE"}
_SHOWN = {"writes": "ExclusiveLock", "all": "AccessExclusiveLock"}
"""Modes of locks by what they block, in SQL and as pg_locks shows them."""
_SETTINGS = {
    "application_name": _SESSION,
    "lock_timeout": "0",
    "statement_timeout": "0",
    "deadlock_timeout": "1h",  # it must not be ended itself
    "client_connection_check_interval": "0",  # it outlives its client
    "log_min_messages": "panic",  # its end must not be logged
}
_HELD_FOR_TIMEOUTS = 3
_DEADLINE_S = 4 * 7_200
_WITHIN_S = 5.0
_LONGEST_TURN_S = 3.0
_TURNS_LOOKED_AT = 2
_SETTING = "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'"
_LOCKED = (
    "SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
    "WHERE l.granted AND l.mode = $1 AND c.relkind = 'r' ORDER BY 1"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TransactionTimeout(FaultDefaults):
    """A session locks `tables` against `blocks`, and the server ends whoever waits `lock_timeout_ms` for a lock.

    So every transaction that wants such a table ends with "canceling statement due to lock timeout". writes: those
    that only read go on. all: they time out as well. With `held_percent` below 100 the locks are let go in between:
    held for three times the time-out, then free for the rest. The session runs within the server and needs no client;
    it ends itself after eight hours at most. Where the server has another `lock_timeout` than that (replicas have 500
    ms), it is changed for all sessions, as their other locks are short: where the server's processes are our user's
    without a word in its log, and sessions that begin later keep the server's own.

    MySQL and MariaDB (with the extra `mysql`) count in whole seconds, and a session keeps the time-outs with which it
    began: the services' sessions are ended when the fault comes and when it goes.
    """

    name: ClassVar[str] = "transaction_timeout"
    level: ClassVar[Level] = Level.DATABASE
    needs: ClassVar[frozenset[type]] = frozenset({StoreLogin})
    dial: ClassVar[Dial] = steps(
        held_percent=(10, 25, 50, 80, 100), lock_timeout_ms=(100, 100, 100, 100, 100), blocks=(*4 * ("writes",), "all")
    )

    tables: tuple[str, ...]
    lock_timeout_ms: int = 500
    blocks: str = "writes"
    held_percent: float = 100

    def __post_init__(self) -> None:
        if isinstance(self.tables, list):  # JSON knows no tuples
            object.__setattr__(self, "tables", tuple(self.tables))
        if not isinstance(self.tables, tuple) or not self.tables or not all(map(_is_name, self.tables)):
            refuse(self, "tables", "must be a tuple of names of tables, such as ('orders', 'payment')")
        whole(self, "lock_timeout_ms", 20, 2_000, "ms")
        one_of(self, "blocks", tuple(_MODES))
        within(self, "held_percent", 10, 100, "% of the time")
        if self.held_percent < 100 and self._turn_s > _LONGEST_TURN_S:
            refuse(self, "held_percent", f"makes a turn of {self._turn_s:g} s, above {_LONGEST_TURN_S:g} s: wait less")

    @property
    def _turn_s(self) -> float:
        """Length of one turn of holding the locks and letting them go."""
        return _HELD_FOR_TIMEOUTS * self.lock_timeout_ms * 100 / self.held_percent / 1e3

    def check(self, system: System, target: str) -> None:
        check_engine(self, system, target, _postgres.ENGINE, _mysql.ENGINE)
        if system.service(target).engine == _mysql.ENGINE and self.lock_timeout_ms % 1_000:
            # turns of so long waits are refused anyhow, so the locks are held all the time
            refuse(self, "lock_timeout_ms", "must be 1000 or 2000: MySQL counts in whole seconds")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that the tables are there; the client is loaded by that, too."""
        if _is_mysql(deployment, target):
            _mysql_locks.prepare(deployment, target, self.tables)
            return

        async def look(session: Any) -> None:
            rows = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            there = [row[0] for row in rows]
            missing = sorted(set(self.tables) - set(there))
            if missing:
                msg = f"{target!r} has no table {', '.join(missing)}; it has {', '.join(sorted(there))}"
                raise InjectionError(msg)
            await session.execute("COMMIT")

        _postgres.look(deployment, target, look, inside=True)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        if _is_mysql(deployment, target):
            wait_s, reads = self.lock_timeout_ms // 1_000, self.blocks == "all"
            return _mysql_locks.inject(deployment, target, self.tables, wait_s=wait_s, reads=reads)
        wanted = {"lock_timeout": _as_shown(self.lock_timeout_ms)}

        async def put_in(session: Any) -> dict[str, Json]:
            before = await _postgres.originals(session, wanted)
            if before["lock_timeout"]["value"] != wanted["lock_timeout"]:
                deployment.originals.remember(_key(target), before)
                await _postgres.set_all(session, wanted, _server(deployment, target))
            locker = await self._lock(session, need(deployment, StoreLogin, target).dsn())
            return {"originals": before, "lock_timeout_ms": self.lock_timeout_ms, "session": locker}

        done: dict[str, Json] = _postgres.ask(deployment, target, put_in)
        return done

    async def _lock(self, session: Any, dsn: str) -> int:
        """Start the session that holds the locks, and return its process id once it holds them."""
        import asyncio

        import asyncpg

        locker = await asyncpg.connect(dsn, timeout=_WITHIN_S, server_settings=_SETTINGS)
        at_work = asyncio.ensure_future(locker.execute(self._statement(), timeout=_DEADLINE_S))
        try:
            pid: int = locker.get_server_pid()
            await self._see_locked(session, pid)
        finally:
            locker.terminate()  # closes the connection; the server goes on with the statement
            with contextlib.suppress(asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError, OSError):
                await at_work
        return pid

    async def _see_locked(self, session: Any, pid: int) -> None:
        import asyncio

        until = clock.monotonic_s() + _WITHIN_S
        held = "SELECT count(DISTINCT relation) FROM pg_locks WHERE pid = $1 AND granted AND mode = $2"
        while await session.fetchval(held, pid, _SHOWN[self.blocks]) < len(set(self.tables)):
            if clock.monotonic_s() > until:
                msg = f"no lock on {', '.join(self.tables)} within {_WITHIN_S:g} s: does a long transaction use them?"
                raise InjectionError(msg)
            await asyncio.sleep(0.01)

    def _statement(self) -> str:
        """What keeps a session of the server busy with holding locks."""
        tables = ", ".join(f'"{table}"' for table in self.tables)
        held_s = self._turn_s * self.held_percent / 100 if self.held_percent < 100 else _DEADLINE_S
        rest_s = self._turn_s * (1 - self.held_percent / 100)
        return (
            f"DO $$ DECLARE ends timestamptz := clock_timestamp() + interval '{_DEADLINE_S} s'; BEGIN LOOP "
            f"LOCK TABLE {tables} IN {_MODES[self.blocks]} MODE; PERFORM pg_sleep({held_s:.3f}); COMMIT; "
            f"EXIT WHEN clock_timestamp() > ends; PERFORM pg_sleep({rest_s:.3f}); END LOOP; END $$"
        )

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether a transaction of ours that wants to write is ended by the server for waiting, and all are locked."""
        if _is_mysql(deployment, target):
            return _mysql_locks.look(deployment, target, self.tables, wait_s=self.lock_timeout_ms // 1_000)
        server = _server(deployment, target)
        seen: Observation = _postgres.look(deployment, target, lambda session: self._look(session, server), inside=True)
        return seen

    async def _look(self, session: Any, server: int | None) -> Observation:
        """Attempts that fail share a transaction with those of later looks: each one counts in the store's figures."""
        if not session.is_in_transaction():
            await session.execute("BEGIN")
        setting = int(await session.fetchval(_SETTING))
        if setting != self.lock_timeout_ms and server is not None:  # our session may have begun since
            await _postgres.read_anew(session, server)
            setting = int(await session.fetchval(_SETTING))
        evidence: dict[str, Json] = {"lock_timeout_ms": setting}
        if setting != self.lock_timeout_ms:
            await session.execute("COMMIT")
            return Observation(active=False, evidence=evidence)
        waited_s = await self._waited_s(session)
        locked = [row[0] for row in await session.fetch(_LOCKED, _SHOWN[self.blocks])]
        if waited_s is None:
            await session.execute("COMMIT")
        evidence |= {"timed_out_after_s": waited_s, "locked": locked}
        return Observation(active=waited_s is not None and set(self.tables) <= set(locked), evidence=evidence)

    async def _waited_s(self, session: Any) -> float | None:
        """Seconds until the server ended our transaction for waiting; None when it got its lock again and again."""
        import asyncio

        import asyncpg

        until = clock.monotonic_s() + (_TURNS_LOOKED_AT * self._turn_s if self.held_percent < 100 else 0)
        while True:
            began = clock.monotonic_s()
            try:  # as every write does
                await session.execute(f'SAVEPOINT attempt; LOCK TABLE "{self.tables[0]}" IN ROW EXCLUSIVE MODE')
            except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
                return round(clock.monotonic_s() - began, 3)
            finally:
                await session.execute("ROLLBACK TO attempt; RELEASE attempt")
            if clock.monotonic_s() > until:
                return None
            await asyncio.sleep(0.02)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the session that holds the locks, see that it is gone, set the time-out back to what it was."""
        if _is_mysql(deployment, target):
            _mysql_locks.recover(deployment, target)
            return
        before = deployment.originals.recall(_key(target))

        async def take_out(session: Any) -> None:
            await _end_sessions(session, target)
            if before is not None:
                await _postgres.put_back(session, before, _server(deployment, target))

        _postgres.ask(deployment, target, take_out)
        deployment.originals.forget(_key(target))


def _is_mysql(deployment: Deployment, target: str) -> bool:
    return instance_of(deployment, target).engine == _mysql.ENGINE


def _server(deployment: Deployment, target: str) -> int | None:
    """The server's process, where it is one of this machine."""
    local = deployment.capability(LocalProcess, target)
    return None if local is None else local.pid()


def _key(target: str) -> str:
    return f"transaction_timeout {target}"


def _is_name(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isidentifier()


def _as_shown(milliseconds: int) -> str:
    """A time as PostgreSQL shows it."""
    return f"{milliseconds}ms" if milliseconds % 1_000 else f"{milliseconds // 1_000}s"


async def _end_sessions(session: Any, target: str) -> None:
    import asyncio

    until = clock.monotonic_s() + _WITHIN_S
    mine = "FROM pg_stat_activity WHERE application_name = $1"
    while await session.fetch(f"SELECT pg_terminate_backend(pid) {mine}", _SESSION):
        if clock.monotonic_s() > until:
            msg = f"a session {_SESSION!r} of {target!r} did not end within {_WITHIN_S:g} s of being told to"
            raise InjectionError(msg)
        await asyncio.sleep(0.02)


OFFERS = (TransactionTimeout,)
