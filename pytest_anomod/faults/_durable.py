"""Having a target wait for the disk when it writes, and back: a PostgreSQL store at commits, a service at its lines.

Replicas wait for no disk: what they lose with the machine nobody misses. Who waits feels a busy disk, and nobody else.
A target that is neither a PostgreSQL whose login we have, nor has an agent of ours, is left as it is, and how it waits
can't be seen.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from pytest_anomod.faults import _postgres
from pytest_anomod.faults._agents import tell, tell_while_it_runs
from pytest_anomod.faults._parameters import refuse_target
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent, StoreLogin
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.system import Replica, ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_SETTINGS = {"fsync": "on", "synchronous_commit": "on"}
_LOG = "/log/durable"
_WATCH_S, _WRITES = 1.2, 5
"""A service is watched until it has written so often, or for so long: one write alone may slip through a busy disk."""


def check(fault: Any, system: System, target: str) -> None:
    """ScenarioError for a cache or a queue of a replica, which nothing makes wait for a disk."""
    kind = system.service(target).kind
    if kind in (ServiceKind.CACHE, ServiceKind.QUEUE) and system.deploy(Replica) is not None:
        refuse_target(fault, target, f"it is of kind {kind} and waits for no disk; aim at a docstore or a service")


def make(deployment: Deployment, target: str) -> list[float]:
    """Have the target wait; the sorted seconds of some commits of a store on a disk that is calm, [] for a service.

    What a store had not written through so far goes to disk first: that would slow it later.
    """
    if not _is_store(deployment, target):
        deployment.originals.remember(_originals(target), {"log": "as it comes"})
        if _has_agent(deployment, target):
            tell(deployment, target, _LOG, {"on": True})
        return []

    async def ask(session: Any) -> list[float]:
        before = await _postgres.originals(session, _SETTINGS)
        deployment.originals.remember(_originals(target), before)
        await _postgres.set_all(session, _SETTINGS)
        return await _postgres.calm_commits_s(session)

    commits: list[float] = _postgres.ask(deployment, target, ask)
    return commits


def is_made(deployment: Deployment, target: str) -> bool:
    """Whether the target was made to wait, by anyone."""
    return deployment.originals.recall(_originals(target)) is not None


def look(deployment: Deployment, target: str) -> dict[str, Json]:
    """Whether the target waits (`fsync` "on" or "off"), and how long (`commit_s`, None if a service hardly wrote).

    `fsync` is "its own" where only the target itself knows.
    """
    if _is_store(deployment, target):
        seen: dict[str, Json] = _postgres.ask(deployment, target, _look_at_store)
        return seen
    if not _has_agent(deployment, target):
        return {"fsync": "its own", "commit_s": None}
    before = after = tell(deployment, target, _LOG, {})
    until = clock.monotonic_s() + _WATCH_S
    while after["syncs"] - before["syncs"] < _WRITES and clock.monotonic_s() < until:
        clock.sleep(0.1)
        after = tell(deployment, target, _LOG, {})
    count = after["syncs"] - before["syncs"]
    waited_s = (after["waited_s"] - before["waited_s"]) / count if count > 1 else None
    return {"fsync": "on" if after["on"] else "off", "commit_s": waited_s, "writes": count}


def undo(deployment: Deployment, target: str) -> None:
    """Have the target be as careless as it was; with nothing made there is nothing to do."""
    before = deployment.originals.recall(_originals(target))
    if before is None:
        return
    if _is_store(deployment, target):

        async def ask(session: Any) -> None:
            await _postgres.put_back(session, before)

        _postgres.ask(deployment, target, ask)
    elif _has_agent(deployment, target):
        tell_while_it_runs(deployment, target, _LOG, {"on": False})
    deployment.originals.forget(_originals(target))


async def _look_at_store(session: Any) -> dict[str, Json]:
    syncs, waited_ms = await _postgres.log_syncs(session)
    commits = await _postgres.commit_times_s(session, 9, every_s=0.02)
    syncs_now, waited_now_ms = await _postgres.log_syncs(session)
    count = syncs_now - syncs
    return {
        "fsync": await session.fetchval("SHOW fsync"),
        "commit_s": statistics.median(commits),
        "log_sync_ms": (waited_now_ms - waited_ms) / count if count else None,
    }


def _is_store(deployment: Deployment, target: str) -> bool:
    is_postgres = instance_of(deployment, target).engine == _postgres.ENGINE
    return is_postgres and deployment.capability(StoreLogin, target) is not None


def _has_agent(deployment: Deployment, target: str) -> bool:
    return deployment.capability(Agent, target) is not None


def _originals(target: str) -> str:
    return f"disk_stress {target}"
