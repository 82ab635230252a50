"""What a system is: its services, who calls whom, where users enter, what they do there."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.errors import ScenarioError

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Client


class ServiceKind(StrEnum):
    """What a service is for; faults and checks choose their ways by it."""

    GATEWAY = "gateway"
    APP = "app"
    CACHE = "cache"
    DOCSTORE = "docstore"
    QUEUE = "queue"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One logical service; `calls` names the services and stores it calls itself."""

    name: str
    kind: ServiceKind
    calls: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A user path: `play` sends one or more requests through the client; `weight` is its share of the mix."""

    name: str
    weight: float
    play: Callable[[Client, Random], Awaitable[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The definition of an application under test.

    `replica` names the package below pytest_anomod.replicas that runs it without containers, or None. `probe_headers`
    makes the headers with which a probe may ask a service directly (an administrator's token, say); they are made when
    they are needed and written nowhere.
    """

    name: str
    services: tuple[Service, ...]
    entry: str
    journeys: tuple[Journey, ...]
    rate_rps: float = 30.0
    replica: str | None = None
    probe_headers: Callable[[], Mapping[str, str]] = dict

    def service(self, name: str) -> Service:
        """The service of that name; ScenarioError with the nearest names when there is none."""
        for service in self.services:
            if service.name == name:
                return service
        names = [service.name for service in self.services]
        near = difflib.get_close_matches(name, names, n=3) or names
        msg = f"system {self.name!r} has no service {name!r}; did you mean {', '.join(near)}?"
        raise ScenarioError(msg)

    def callers(self, name: str) -> tuple[str, ...]:
        """Names of the services that call `name` directly."""
        return tuple(service.name for service in self.services if name in service.calls)
