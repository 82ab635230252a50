"""A fake system, its deployment without processes, and the runtime that brings it up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, Session, Stats
from pytest_anomod.model.source import ResourceFigures, Source
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.testing.capabilities import FAKED, FakeService
from pytest_anomod.testing.world import FakeOriginals, FakeUndo, World

C = TypeVar("C")

FAKE_SYSTEM = System(
    name="fake_system",
    services=(
        Service(name="gateway", kind=ServiceKind.GATEWAY, calls=("app",)),
        Service(name="app", kind=ServiceKind.APP),
    ),
    entry="gateway",
    journeys=(),
    rate_rps=300.0,
)


class FakeDeployment:
    """A deployment without processes: every order only changes its world file."""

    def __init__(self, ref: Mapping[str, Json], system: System = FAKE_SYSTEM) -> None:
        self.ref = ref
        self.system = system.name
        self.runtime = "fake"
        self.directory = Path(ref["directory"])
        self.entry_url = f"fake://{self.directory}"
        self.urls: Mapping[str, str] = {system.entry: self.entry_url}
        self.notes: tuple[str, ...] = ()
        self.world = World(self.directory)
        self.undo = FakeUndo(self.world)
        self.originals = FakeOriginals(self.world)
        self.offers: dict[type, Callable[[str], Any]] = dict.fromkeys(FAKED, functools.partial(FakeService, self))
        """What makes each capability of a service; a test may take some away, or give others."""
        self._services = {service.name: service for service in system.services}

    def instances(self, service: str = "") -> tuple[Instance, ...]:
        if service:
            self._known(service)
        return tuple(self._instance(name) for name in self._services if not service or name == service)

    def _instance(self, service: str) -> Instance:
        known, stopped = self._known(service), self._now("stopped", [])
        return Instance(
            service=service,
            kind=known.kind,
            instance_id=f"{service}-{1 + self._now('restarts', {}).get(service, 0)}",
            address=("127.0.0.1", 1),
            inner_address=("127.0.0.1", 1),
            pid=None,
            start_time=None,
            state="stopped" if service in stopped else "running",
            restarts=self._now("restarts", {}).get(service, 0),
            engine=known.engine,
        )

    def capability(self, kind: type[C], service: str) -> C | None:
        self._known(service)
        maker = self.offers.get(kind)
        return None if maker is None else cast("C | None", maker(service))

    def sources(self) -> tuple[Source, ...]:
        return tuple(ResourceFigures(service=name) for name in self._services)

    def stats(self, service: str) -> Stats | None:
        self._known(service)
        now = clock.now_ns()
        return Stats(
            time_unix_nano=now, cpu_s=0, memory_bytes=0, read_bytes=0, written_bytes=0, threads=1, stopped=False
        )

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        self._known(service)
        return service not in self.unhealthy()

    def unhealthy(self) -> tuple[str, ...]:
        return (*self._now("unhealthy", []), *self._now("stopped", []))

    def _now(self, key: str, default: Any) -> Any:
        return self.world.read().get(key, default)

    def _known(self, service: str) -> Service:
        if service not in self._services:
            msg = f"the fake deployment has no service {service!r}; it has {', '.join(self._services)}"
            raise DeploymentError(msg)
        return self._services[service]


class FakeRuntime:
    """Brings fake deployments up; each lives in a directory of its session."""

    name = "fake"
    capabilities = frozenset(FAKED)

    def refusal(self, system: System) -> str:
        return ""

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        return needs - self.capabilities

    def up(self, system: System, session: Session, *, entry_port: int | None = None, seed: int = 1) -> FakeDeployment:
        return fake_deployment(session.directory / system.name)

    def attach(self, ref: Mapping[str, Json]) -> FakeDeployment:
        return FakeDeployment(ref)

    def down(self, deployment: FakeDeployment) -> None:
        deployment.world.path.unlink(missing_ok=True)

    def sweep(self) -> tuple[str, ...]:
        return ()


def fake_deployment(directory: Path) -> FakeDeployment:
    """A fake deployment that lives in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    return FakeDeployment({"runtime": "fake", "system": FAKE_SYSTEM.name, "directory": str(directory)})
