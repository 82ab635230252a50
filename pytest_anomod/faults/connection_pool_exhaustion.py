"""A service whose pool of database connections is used up: every one is taken and none comes back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_anomod.faults import _postgres
from pytest_anomod.faults._agents import tell, tell_while_it_runs
from pytest_anomod.faults._parameters import refuse_target, whole
from pytest_anomod.faults._programs import DEADLINE_S
from pytest_anomod.model.capability import Agent
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.source import MetricsPage

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_IDLE_S = 0.2
"""A session that the server has heard nothing of for so long does no work."""
_FIGURE = re.compile(r'^db_pool_(size|in_use|waiting|timeouts_total)\{store="([^"]+)"\} (\S+)$', re.MULTILINE)
_SESSIONS = """
SELECT count(*) AS open,
       count(*) FILTER (WHERE state = 'idle' AND clock_timestamp() - state_change > make_interval(secs => $2)) AS idle
FROM pg_stat_activity WHERE application_name = $1
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolExhaustion(FaultDefaults):
    """All connections of the target's database pools but `leave` are borrowed and not given back.

    The target is the service that has the pool, because the cause lies there: code that does not close a connection, or
    a pool that is too small. Its requests wait for a connection, and fail at the pool's time-out; the database
    itself is healthy and idle, and so are its other clients. (AnoMod's scenario of that name delayed packets between
    database and services and names the database as cause.) The connections are real and stay open; they come back
    when the target's process ends, and by themselves at a deadline.
    """

    name: ClassVar[str] = "connection_pool_exhaustion"
    level: ClassVar[Level] = Level.DATABASE
    needs: ClassVar[frozenset[type]] = frozenset({Agent})
    dial: ClassVar[Dial] = {3: {"leave": 1}, 5: {"leave": 0}}

    leave: int = 0

    def __post_init__(self) -> None:
        whole(self, "leave", 0, 50, "connections")

    def check(self, system: System, target: str) -> None:
        service = system.service(target)
        if not any(system.service(peer).engine == _postgres.ENGINE for peer in service.calls):
            refuse_target(self, target, f"it calls no {_postgres.ENGINE}, so it has no pool of connections to one")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that pools and sessions can be looked at, and load the client now rather than between inject and seen."""
        self.active(deployment, target)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        for store, pool in _pools(deployment, target).items():
            if 2 * self.leave >= pool["size"]:
                msg = f"{self.leave} connections left of {pool['size']} to {store!r} is no exhaustion: leave fewer"
                raise InjectionError(msg)
        asked = {"leave": self.leave, "seconds": DEADLINE_S}
        return {"pools": tell(deployment, target, "/pools/borrow", asked), "deadline_s": DEADLINE_S}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the target's own figures have its pools used up while the database has nothing to do for them.

        Both are needed: the sessions of a busy pool work, those of an idle pool are not in use.
        """
        state = instance_of(deployment, target).state
        if state != "running":
            return Observation(active=False, evidence={"state": state})
        seen = {}
        for store, pool in _pools(deployment, target).items():
            sessions = _postgres.look(deployment, store, lambda session: session.fetchrow(_SESSIONS, target, _IDLE_S))
            seen[store] = {**pool, "sessions": sessions["open"], "idle_sessions": sessions["idle"]}
        used_up = [
            min(pool["in_use"], pool["idle_sessions"]) >= pool["size"] - self.leave > self.leave
            for pool in seen.values()
        ]
        return Observation(active=bool(used_up) and all(used_up), evidence=seen)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Have the connections given back; a process that is gone has taken them with it."""
        tell_while_it_runs(deployment, target, "/pools/return")


def _pools(deployment: Deployment, target: str) -> dict[str, dict[str, Any]]:
    """The figures of the target's pools by store, as its metrics have them."""
    pools: dict[str, dict[str, Any]] = {}
    for figure, store, value in _FIGURE.findall(_metrics(deployment, target)):
        pools.setdefault(store, {})[figure] = int(float(value))
    if not pools:
        msg = f"the metrics of {target!r} tell of no database pool (db_pool_size and so on)"
        raise InjectionError(msg)
    return pools


def _metrics(deployment: Deployment, target: str) -> str:
    import http.client
    from urllib.parse import urlsplit

    pages = [one for one in deployment.sources() if isinstance(one, MetricsPage) and one.service == target]
    if not pages:
        msg = f"{target!r} has no page of metrics, which would tell of its pools"
        raise InjectionError(msg)
    url = urlsplit(pages[0].url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=5.0)
    try:
        connection.request("GET", url.path, headers={"Connection": "close"})
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException) as error:
        msg = f"the metrics of {target!r} can't be read at {url.geturl()!r}: {error}"
        raise InjectionError(msg) from error
    finally:
        connection.close()


OFFERS = (PoolExhaustion,)
