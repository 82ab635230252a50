"""Fault database_memory_limit: sessions of a database may have less memory than they need, and run out of it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_anomod.faults import _postgres
from pytest_anomod.faults._parameters import check_engine, refuse_target, within
from pytest_anomod.faults._process_memory import memory_of
from pytest_anomod.model.capability import LocalProcess, ProcessMemory, StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_LEAST_TAKEN = 512 << 10
"""What a session is taken to use at least on top of a fresh one, where none has served anybody yet."""
_SPARE = 32 << 10
"""Room above a fresh session: with none at all nobody could log in, which is another anomaly."""
_WANTED = 1 << 20
"""What the probe asks for at most beyond the limit."""
_STEP, _MANY = 7_000, 16 << 20
"""By so much it asks for more, so that what a statement takes for itself is below 8 kB a piece; up to how much."""
_TIGHT = 256 << 20
"""A limit that leaves a session more than that is somebody's precaution, and hurts no one."""
_OTHERS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> current_user"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseMemoryLimit(FaultDefaults):
    """Each session of the target gets `percent_of_used` of the memory that the largest one took since its login.

    The kernel refuses the rest (RLIMIT_DATA of the server's processes, Linux only, no root needed), and the statement
    ends with "out of memory". A session keeps memory that it has already: so the services' sessions are ended once, and
    those that replace them fill up to the limit. Small statements succeed, large ones fail again and again.
    """

    name: ClassVar[str] = "database_memory_limit"
    level: ClassVar[Level] = Level.DATABASE
    needs: ClassVar[frozenset[type]] = frozenset({LocalProcess, StoreLogin})
    instead: ClassVar[frozenset[type]] = frozenset({ProcessMemory, StoreLogin})
    dial: ClassVar[Dial] = steps(percent_of_used=(90, 70, 45, 25, 5))

    percent_of_used: float = 25

    def __post_init__(self) -> None:
        within(self, "percent_of_used", 1, 95, "% of the memory the largest session took")

    def check(self, system: System, target: str) -> None:
        check_engine(self, system, target, _postgres.ENGINE)
        if sys.platform != "linux":
            refuse_target(self, target, f"only Linux limits the memory of running processes; this is {sys.platform}")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that the target answers, and load the client now rather than between inject and effect."""

        async def look(session: Any) -> tuple[int, int | None]:
            return _of(session, memory_of(deployment, target))

        _postgres.ask(deployment, target, look)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        """Limit the server, whose new sessions inherit that, then end the services' sessions."""

        async def put_in(session: Any) -> dict[str, Json]:
            memory = memory_of(deployment, target)
            server, (fresh, _) = _server(memory, target), _of(session, memory)
            others, found = [row[0] for row in await session.fetch(f"SELECT pid {_OTHERS}")], memory.processes()
            largest = max([fresh + _LEAST_TAKEN, *(found[pid][0] for pid in others if pid in found)])
            limit = fresh + _SPARE + int((largest - fresh) * self.percent_of_used / 100)
            deployment.originals.remember(_key(target), {"limit_bytes": found[server][1]})
            memory.limit([server], limit)
            ended = await session.fetchval(f"SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) {_OTHERS}")
            return {"limit_bytes": limit, "fresh_bytes": fresh, "largest_bytes": largest, "sessions_ended": ended}

        done: dict[str, Json] = _postgres.ask(deployment, target, put_in)
        return done

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether a new session is limited, and is refused by the kernel what is beyond its limit."""

        async def look(session: Any) -> dict[str, Json]:
            used, limit = _of(session, memory_of(deployment, target))
            if limit is None or limit > used + _TIGHT:
                return {"limit_bytes": limit, "used_bytes": used, "refused": False}
            return {
                "limit_bytes": limit,
                "used_bytes": used,
                "refused": await _is_refused(session, limit - used + _WANTED),
            }

        seen: dict[str, Json] = _postgres.ask(deployment, target, look)
        return Observation(active=seen["refused"], evidence=seen)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Give the server and all its sessions the limit they had; no statement is needed for that."""
        before = deployment.originals.recall(_key(target))
        if before is None:
            return
        wanted = before["limit_bytes"]
        memory = memory_of(deployment, target)
        server = memory.server()
        if server is not None:  # with the process its limit is gone, too
            for _ in range(2):  # a session may have begun before the server, the first of them, had its own back
                memory.limit(sorted(memory.processes(), key=lambda pid: pid != server), wanted)
            _, now = memory.processes().get(server, (0, wanted))
            if now != wanted:
                msg = f"{target!r} may use {now} bytes although its limit was set back to {wanted}"
                raise InjectionError(msg)
        deployment.originals.forget(_key(target))


def _key(target: str) -> str:
    return f"database_memory_limit {target}"


def _server(memory: ProcessMemory, target: str) -> int:
    server = memory.server()
    if server is None:
        msg = f"{target!r} has no process now, so its memory can't be limited"
        raise InjectionError(msg)
    return server


def _of(session: Any, memory: ProcessMemory) -> tuple[int, int | None]:
    """Bytes and limit of the process of a session."""
    found = memory.processes().get(session.get_server_pid())
    if found is None:
        pid = session.get_server_pid()
        msg = f"the server is process {memory.server()}, and its session {pid} is none of its children here"
        raise InjectionError(msg)
    return found


async def _is_refused(session: Any, size: int) -> bool:
    """Whether a session can't get so many bytes: it makes settings of its own until they come to that.

    It is for a setting that memory runs out first, as each needs a new block while the statement's own is free again.
    So the server does not write to its log all that the session has in memory, which it does for any other want, such
    as that of a single large value, for which it is asked where there is much to fill.
    """
    import asyncpg

    try:
        if size > _MANY:
            await session.execute(f"SELECT length(repeat('x', {size}))")
            return False
        for number in range(0, size, _STEP):
            await session.execute(f"SET look.size{number} = '{'x' * _STEP}'")
    except asyncpg.OutOfMemoryError:
        return True
    return False


OFFERS = (DatabaseMemoryLimit,)
