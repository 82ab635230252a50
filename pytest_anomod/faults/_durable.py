"""Makes a target wait for the disk when it writes, and undoes that: a PostgreSQL at commits, a service at log lines.

Replicas do not wait for the disk, because their data need not survive a crash; so a busy disk affects only a target
that is made to wait. The best way is a flag on its files (`WrittenFiles`): no setting, counter or log line of the
target shows it. Else settings of a PostgreSQL are changed, or an agent of ours is told. A target that has neither is
not changed, and how it waits can't be seen.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from pytest_anomod.faults import _disk, _postgres
from pytest_anomod.faults._agents import tell, tell_while_it_runs
from pytest_anomod.faults._parameters import refuse_target
from pytest_anomod.host import waiting_files
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent, StoreLogin, WrittenFiles
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.system import Replica, ServiceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_SETTINGS = {"fsync": "on", "synchronous_commit": "on"}
_LOG = "/log/durable"
_WATCH_S, _WRITES = 1.2, 5
"""A target is watched until it has written so often, or for so long: one write alone may slip through a busy disk."""
_SINCE_S = 3.0
"""Writes since the last look count if that was not longer ago."""
_Count = tuple[int, float]
"""Writes so far, and the seconds that they took."""
_seen: dict[tuple[str, str], tuple[float, _Count]] = {}
"""The count of the last look at a target of a deployment, and when that was."""


def check(fault: Any, system: System, target: str) -> None:
    """ScenarioError for a cache or a queue of a replica, which nothing makes wait for a disk."""
    kind = system.service(target).kind
    if kind in (ServiceKind.CACHE, ServiceKind.QUEUE) and system.deploy(Replica) is not None:
        refuse_target(fault, target, f"it is of kind {kind} and waits for no disk; aim at a docstore or a service")


def files(deployment: Deployment, target: str) -> Sequence[Path]:
    """The files of a target that can be had to wait themselves; () where that can't be done."""
    written = deployment.capability(WrittenFiles, target)
    if written is None or not waiting_files.can_wait(_disk.of(deployment, target)):
        return ()
    return written.paths()


def make(deployment: Deployment, target: str) -> list[float]:
    """Have the target wait; the sorted seconds of some commits of a store whose settings were changed, else [].

    What such a store had not written through so far goes to disk first: that would slow it later.
    """
    if paths := files(deployment, target):
        deployment.originals.remember(_originals(target), {"files": "as they come"})
        waiting_files.let_wait(paths, True)
        return []
    if not _is_store(deployment, target):
        deployment.originals.remember(_originals(target), {"log": "as it comes"})
        if _has_agent(deployment, target):
            tell(deployment, target, _LOG, {"on": True})
        return []

    async def ask(session: Any) -> list[float]:
        before = await _postgres.originals(session, _SETTINGS)
        deployment.originals.remember(_originals(target), before)
        if any(before[name]["value"] != value for name, value in _SETTINGS.items()):
            await _postgres.set_all(session, _SETTINGS)
        return await _postgres.calm_commits_s(session)

    commits: list[float] = _postgres.ask(deployment, target, ask)
    return commits


def is_made(deployment: Deployment, target: str) -> bool:
    """Whether the target was made to wait, by this process or another."""
    return deployment.originals.recall(_originals(target)) is not None


def look(deployment: Deployment, target: str) -> dict[str, Json]:
    """Whether the target waits (`fsync` "on" or "off"), and how long (`commit_s`, None if a service hardly wrote).

    `fsync` is "its own" where only the target itself knows. With files that wait it is the target's own writes that are
    timed, by itself; only of a store that writes nothing commits are asked, which count in the figures of no database
    of a service.
    """
    paths = files(deployment, target)
    if _is_store(deployment, target):
        if paths:
            return _look_at_files(deployment, target, paths)
        seen: dict[str, Json] = _postgres.look(deployment, target, _look_at_store)
        return seen
    if not _has_agent(deployment, target):
        return {"fsync": "its own", "commit_s": None}
    if paths:
        return _look_at_files(deployment, target, paths)
    counted, _ = _watch(deployment, target, lambda: _lines(deployment, target))
    return {"fsync": "on" if tell(deployment, target, _LOG, {})["on"] else "off", **counted}


def _look_at_files(deployment: Deployment, target: str, paths: Sequence[Path]) -> dict[str, Json]:
    fsync = "on" if waiting_files.do_wait(paths) else "off"
    if not _is_store(deployment, target):
        return {"fsync": fsync, **_watch(deployment, target, lambda: _lines(deployment, target))[0]}
    counted, enough = _watch(deployment, target, lambda: _postgres.look(deployment, target, _postgres.journal_writes))
    if not enough:
        commits = _postgres.look(deployment, target, lambda session: _postgres.commit_times_s(session, 5))
        counted["commit_s"] = statistics.median(commits)
    return {"fsync": fsync, **counted}


def _lines(deployment: Deployment, target: str) -> _Count:
    told = tell(deployment, target, _LOG, {})
    return told["writes"], told["waited_s"]


def _watch(deployment: Deployment, target: str, count: Callable[[], _Count]) -> tuple[dict[str, Json], bool]:
    """The mean seconds of the target's writes since the last look, or of those that come now; whether they are many."""
    key, now = (str(deployment.directory), target), clock.monotonic_s()
    then, before = _seen.get(key, (0.0, (0, 0.0)))
    if now - then > _SINCE_S:
        before = count()
    until, after = now + _WATCH_S, count()
    while 0 <= after[0] - before[0] < _WRITES and clock.monotonic_s() < until:
        clock.sleep(0.1)
        after = count()
    _seen[key] = (clock.monotonic_s(), after)
    writes = after[0] - before[0]
    waited_s = (after[1] - before[1]) / writes if writes > 1 else None
    return {"commit_s": waited_s, "writes": writes}, writes >= _WRITES


def undo(deployment: Deployment, target: str) -> None:
    """Make the target wait for the disk no more than before; does nothing if nothing was changed."""
    before = deployment.originals.recall(_originals(target))
    if before is None:
        return
    if "files" in before:
        waiting_files.let_wait(files(deployment, target), False)
    elif _is_store(deployment, target):

        async def ask(session: Any) -> None:
            if any(before[name]["value"] != value for name, value in _SETTINGS.items()):
                await _postgres.put_back(session, before)

        _postgres.ask(deployment, target, ask)
    elif _has_agent(deployment, target):
        tell_while_it_runs(deployment, target, _LOG, {"on": False})
    deployment.originals.forget(_originals(target))


async def _look_at_store(session: Any) -> dict[str, Json]:
    commits = await _postgres.commit_times_s(session, 9, every_s=0.02)
    return {"fsync": await session.fetchval("SHOW fsync"), "commit_s": statistics.median(commits)}


def _is_store(deployment: Deployment, target: str) -> bool:
    is_postgres = instance_of(deployment, target).engine == _postgres.ENGINE
    return is_postgres and deployment.capability(StoreLogin, target) is not None


def _has_agent(deployment: Deployment, target: str) -> bool:
    return deployment.capability(Agent, target) is not None


def _originals(target: str) -> str:
    return f"disk_stress {target}"
