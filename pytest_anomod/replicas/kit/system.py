"""The declaration of a replica: its services, its stores, how it is seeded and where users come in."""

import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_anomod.replicas.kit.postgres_client import PostgresClient
    from pytest_anomod.replicas.kit.redis_client import RedisClient


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service: `module` is a module of the system's package with a `SERVICE`, a subclass of `kit.service.Service`.

    `calls` names the services and stores it talks to. `options` reach the service as `self.options`.
    """

    name: str
    module: str
    kind: Literal["app", "gateway"] = "app"
    calls: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """One store: an engine process of its own.

    `settings` are server settings by their own names (Redis `maxmemory`, PostgreSQL `max_connections`);
    `schema` is SQL run as the application's role when a PostgreSQL store first starts.
    """

    name: str
    engine: Literal["redis", "postgres"]
    kind: Literal["cache", "docstore", "queue"]
    settings: Mapping[str, str] = field(default_factory=dict)
    schema: str = ""


@dataclass(frozen=True, slots=True)
class SeedContext:
    """What a seed function gets: clients of the stores by name, the seed, and a generator made from it."""

    seed: int
    random: random.Random
    redis: "Callable[[str], RedisClient]"
    pg: "Callable[[str], PostgresClient]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSystem:
    """A whole replica. `entry` names the entry gateway; `package` the dotted package whose modules hold the services.

    `seed` fills the stores before the deployment is announced, in a process of its own: an async function, or
    "module:function" of the package, which is then imported only there.
    """

    name: str
    package: str
    services: tuple[ServiceSpec, ...]
    stores: tuple[StoreSpec, ...] = ()
    entry: str
    seed: Callable[[SeedContext], Coroutine[Any, Any, None]] | str | None = None

    def __post_init__(self) -> None:
        """Refuse unknown names early: a wrong call list would make wrong labels later."""
        names = [service.name for service in self.services] + [store.name for store in self.stores]
        doubles = {name for name in names if names.count(name) > 1}
        if doubles:
            raise ValueError(f"system {self.name!r}: names used twice: {sorted(doubles)}")
        if self.entry not in [spec.name for spec in self.services]:
            raise ValueError(f"system {self.name!r}: entry {self.entry!r} is none of its services")
        for spec in self.services:
            unknown = sorted(set(spec.calls) - set(names))
            if unknown:
                raise ValueError(f"system {self.name!r}: {spec.name} calls {unknown}, which are not declared")
