"""Fault database_memory_limit: sessions of a database may have less memory than they need, and run out of it."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_anomod.faults import _postgres
from pytest_anomod.faults._parameters import check_engine, refuse_target, within
from pytest_anomod.faults._processes import tree
from pytest_anomod.model.capability import LocalProcess, StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import need
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

        async def look(session: Any) -> int | None:
            return _limit_of(_pid_of(session, _server(deployment, target)))

        _postgres.ask(deployment, target, look)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        """Limit the server, whose new sessions inherit that, then end the services' sessions."""

        async def put_in(session: Any) -> dict[str, Json]:
            server = _server(deployment, target)
            fresh = _data_bytes(_pid_of(session, server))
            pids, others = _pids(server), [row[0] for row in await session.fetch(f"SELECT pid {_OTHERS}")]
            largest = max([fresh + _LEAST_TAKEN, *(_data_bytes(pids[pid]) for pid in others if pid in pids)])
            limit = fresh + _SPARE + int((largest - fresh) * self.percent_of_used / 100)
            deployment.originals.remember(_key(target), {"limit_bytes": _limit_of(server)})
            _set_limit(server, limit)
            ended = await session.fetchval(f"SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) {_OTHERS}")
            return {"limit_bytes": limit, "fresh_bytes": fresh, "largest_bytes": largest, "sessions_ended": ended}

        done: dict[str, Json] = _postgres.ask(deployment, target, put_in)
        return done

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether a new session is limited, and is refused by the kernel what is beyond its limit."""

        async def look(session: Any) -> dict[str, Json]:
            pid = _pid_of(session, _server(deployment, target))
            limit, used = _limit_of(pid), _data_bytes(pid)
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
        if need(deployment, LocalProcess, target).pid() is not None:  # with the process its limit is gone, too
            for _ in range(2):  # a session may have begun before the server, the first of them, had its own back
                for process in tree(_server(deployment, target)):
                    _set_limit(process.pid, wanted)
            now = _limit_of(_server(deployment, target))
            if now != wanted:
                msg = f"{target!r} may use {now} bytes although its limit was set back to {wanted}"
                raise InjectionError(msg)
        deployment.originals.forget(_key(target))


def _key(target: str) -> str:
    return f"database_memory_limit {target}"


def _server(deployment: Deployment, target: str) -> int:
    pid = need(deployment, LocalProcess, target).pid()
    if pid is None:
        msg = f"{target!r} has no process now, so its memory can't be limited"
        raise InjectionError(msg)
    return pid


def _pids(server: int) -> dict[int, int]:
    """The server's processes by the pids that it knows itself: its own ones, where it has a namespace for them."""
    found = {}
    for process in tree(server):
        known = _status(process.pid).get("NSpid", str(process.pid))
        found[int(known.split()[-1])] = process.pid
    return found


def _pid_of(session: Any, server: int) -> int:
    """The process of a session, as this machine knows it."""
    pid = _pids(server).get(session.get_server_pid())
    if pid is None:
        msg = f"the server is process {server}, and its session {session.get_server_pid()} is none of its children here"
        raise InjectionError(msg)
    return pid


def _status(pid: int) -> dict[str, str]:
    """What the kernel tells of a process; empty once it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _data_bytes(pid: int) -> int:
    """Private writable memory of a process but its stack: what RLIMIT_DATA limits; 0 once the process is gone."""
    return int(_status(pid).get("VmData", "0 kB").split()[0]) << 10


def _limit_of(pid: int) -> int | None:
    """The soft limit of a process; None when there is none."""
    import psutil

    with _told(pid):
        soft, _ = psutil.Process(pid).rlimit(psutil.RLIMIT_DATA)
    return None if soft == psutil.RLIM_INFINITY else int(soft)


def _set_limit(pid: int, limit: int | None) -> None:
    """Set the soft limit; the hard one stays, so that nobody needs to be root to go back."""
    import psutil

    with _told(pid), contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        soft, hard = process.rlimit(psutil.RLIMIT_DATA)
        wanted = psutil.RLIM_INFINITY if limit is None else limit
        if soft != wanted:
            process.rlimit(psutil.RLIMIT_DATA, (wanted, hard))


@contextlib.contextmanager
def _told(pid: int) -> Iterator[None]:
    import psutil

    try:
        yield
    except (psutil.Error, OSError) as error:
        msg = f"the memory limit of process {pid} can't be read or set: {error}"
        raise InjectionError(msg) from error


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
