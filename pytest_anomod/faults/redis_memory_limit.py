"""Fault redis_memory_limit: a Redis gets a limit in bytes, below what it uses."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_anomod.faults._parameters import check_engine, one_of, within
from pytest_anomod.model.capability import StoreLogin
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_SETTINGS = ("maxmemory", "maxmemory-policy")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RedisMemoryLimit(FaultDefaults):
    """`maxmemory` becomes `percent_of_used` of what the target uses at injection, with that eviction policy.

    noeviction: writes are refused, reads go on. allkeys-lru: keys are thrown out until the rest fits; below what an
    empty Redis uses (about 1 MB) nothing fits and writes are refused as well. Evicted keys are not brought back. From
    Redis 7.2 on the warning with which a Redis takes such a limit is kept out of its log.
    """

    name: ClassVar[str] = "redis_memory_limit"
    level: ClassVar[Level] = Level.DATABASE
    needs: ClassVar[frozenset[type]] = frozenset({StoreLogin})
    dial: ClassVar[Dial] = {3: {"policy": "allkeys-lru"}, 5: {"policy": "noeviction"}}

    percent_of_used: float = 50
    policy: str = "noeviction"

    def __post_init__(self) -> None:
        within(self, "percent_of_used", 1, 95, "% of the memory in use")
        one_of(self, "policy", ("noeviction", "allkeys-lru"))

    def check(self, system: System, target: str) -> None:
        check_engine(self, system, target, "redis")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that the target answers, and load the client now rather than between inject and effect."""
        with _redis(deployment, target) as redis:
            redis.ping()

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        found = self.measure(deployment, target)
        with _redis(deployment, target) as redis:
            _set_unsaid(redis, {"maxmemory-policy": self.policy, "maxmemory": found["limit_bytes"]})
        return found

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether a limit bites: a write is refused for want of memory, or keys were evicted since the injection."""
        before = deployment.originals.recall(_key(target)) or {}
        with _redis(deployment, target) as redis:
            limit, policy = int(redis.config_get("maxmemory")["maxmemory"]), _policy(redis)
            refused, now = _write_is_refused(redis), redis.info()
        evicted = now["evicted_keys"] - before.get("evicted", now["evicted_keys"])
        bites = refused or (self.policy == "allkeys-lru" and evicted > 0)
        evidence = {
            "maxmemory": limit,
            "used_memory": now["used_memory"],
            "policy": policy,
            "write_refused": refused,
            "evicted": evicted,
        }
        return Observation(active=limit > 0 and policy == self.policy and bites, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Set both settings back to what they were and see that they are."""
        originals = deployment.originals.recall(_key(target))
        if originals is None:
            return
        with _redis(deployment, target) as redis:
            _set_unsaid(redis, {name: originals[name] for name in _SETTINGS})
            for name in _SETTINGS:
                now = redis.config_get(name)[name]
                if now != originals[name]:
                    msg = f"{name} of {target!r} is {now!r} although it was set back to {originals[name]!r}"
                    raise InjectionError(msg)
        deployment.originals.forget(_key(target))

    def measure(self, deployment: Deployment, target: str) -> dict[str, Json]:
        """Remember the settings as they are ("originals"), and say what the limit is to be, by what is used now."""
        with _redis(deployment, target) as redis:
            memory = redis.info()
            originals = {name: redis.config_get(name)[name] for name in _SETTINGS}
        deployment.originals.remember(_key(target), {**originals, "evicted": memory["evicted_keys"]})
        limit = max(1, int(memory["used_memory"] * self.percent_of_used / 100))
        return {"limit_bytes": limit, "used_bytes": memory["used_memory"], "originals": originals}


def _key(target: str) -> str:
    return f"redis_memory_limit {target}"


@contextlib.contextmanager
def _redis(deployment: Deployment, target: str) -> Iterator[Any]:
    import redis

    url = need(deployment, StoreLogin, target).dsn()
    client = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=1.0, decode_responses=True)
    try:
        yield client
    except redis.RedisError as error:
        msg = f"Redis {target!r} gave no good answer: {error}"
        raise InjectionError(msg) from error
    finally:
        client.close()


def _policy(redis: Any) -> str:
    return str(redis.config_get("maxmemory-policy")["maxmemory-policy"])


def _set_unsaid(redis: Any, values: Mapping[str, Json]) -> None:
    """Set all at once, and have it write nothing to its log meanwhile; a Redis before 7.2 knows no such level.

    Beyond its limit some take no command of a transaction at all: then the settings are set one by one.
    """
    from redis.exceptions import ExecAbortError, OutOfMemoryError

    level = redis.config_get("loglevel")["loglevel"]
    steps = redis.pipeline(transaction=True)
    steps.config_set("loglevel", "nothing")
    for name, value in values.items():
        steps.config_set(name, value)
    steps.config_set("loglevel", level)
    try:
        _, *answers = steps.execute(raise_on_error=False)
    except (ExecAbortError, OutOfMemoryError):
        for name, value in values.items():
            redis.config_set(name, value)
        return
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


def _write_is_refused(redis: Any) -> bool:
    """Push to a list that nobody can have, and only if there is one: it leaves nothing, and is refused as any write."""
    from redis.exceptions import OutOfMemoryError, ResponseError

    try:
        redis.lpushx(os.urandom(16).hex(), "")
    except OutOfMemoryError:
        return True
    except ResponseError as error:
        return str(error).startswith("OOM")
    return False


OFFERS = (RedisMemoryLimit,)
