"""What can be done to a service of a fake deployment: every order only changes its world file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_anomod.model.capability import (
    Agent,
    Detour,
    Lifecycle,
    Listener,
    LocalProcess,
    Programs,
    Resolver,
    StoreLogin,
    Volume,
)
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of

if TYPE_CHECKING:
    from pytest_anomod.testing.deployment import FakeDeployment

FAKED = (Agent, Lifecycle, Listener, LocalProcess, Programs, Resolver, StoreLogin, Volume)
"""Capabilities that a fake service has; it has no container to limit or to cut off."""


class FakeService:
    """All of them in one."""

    def __init__(self, deployment: FakeDeployment, service: str) -> None:
        self.deployment = deployment
        self.service = service
        self._world = deployment.world

    # Lifecycle

    def kill(self) -> None:
        restarts = self._now("restarts", {})
        self._world.write(restarts={**restarts, self.service: restarts.get(self.service, 0) + 1})

    def stop(self) -> None:
        self._world.write(stopped=sorted({*self._now("stopped", []), self.service}))

    def start(self) -> None:
        self._world.write(stopped=[name for name in self._now("stopped", []) if name != self.service])

    # LocalProcess

    def pid(self) -> int | None:
        return instance_of(self.deployment, self.service).pid

    def inner_pid(self) -> int | None:
        return self.pid()

    # Programs

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        helpers = self._now("helpers", {})
        of_service = {**helpers.get(self.service, {}), name: 1_000_000 + len(helpers)}
        self._world.write(helpers={**helpers, self.service: of_service})
        return int(of_service[name])

    def running(self) -> Mapping[str, int]:
        return MappingProxyType(self._now("helpers", {}).get(self.service, {}))

    def end(self, name: str) -> None:
        helpers = self._now("helpers", {})
        left = {key: pid for key, pid in helpers.get(self.service, {}).items() if key != name}
        self._world.write(helpers={**helpers, self.service: left})

    # Agent

    def ask(self, path: str, payload: Json = None) -> Json:
        self._world.call(f"agent {self.service} {path}")
        return {}

    # Listener

    def detour(self) -> Detour:
        return Detour(host="127.0.0.1", listen=1, upstream_host="127.0.0.1", upstream=2, ready=3)

    def divert(self, detour: Detour) -> None:
        self._world.write(diverted={**self._now("diverted", {}), self.service: detour.upstream})

    def restore(self) -> None:
        self._world.write(diverted={**self._now("diverted", {}), self.service: None})

    def is_listening(self, port: int) -> bool:
        return True

    # Resolver

    def hide(self, names: Collection[str]) -> None:
        self._world.write(hidden_names={**self._now("hidden_names", {}), self.service: sorted(names)})

    def resolved(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(names) - frozenset(self._now("hidden_names", {}).get(self.service, ()))

    def connections(self, names: Collection[str]) -> int:
        return 0

    # StoreLogin

    def dsn(self) -> str:
        return f"fake://{self.service}"

    # Volume

    def directory(self) -> Path:
        return self.deployment.directory

    def _now(self, key: str, default: Json) -> Json:
        return self._world.read().get(key, default)
