"""A fake system, its deployment without processes, and the runtime that brings it up."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Ability, Json
from pytest_anomod.model.runtime import ControlGroup, Instance, NetNamespace, Session, Stats
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.testing.world import FakeUndo, World

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
        self.listen_host = "127.0.0.1"
        self.entry_url = f"fake://{self.directory}"
        self.urls: Mapping[str, str] = {system.entry: self.entry_url}
        self.abilities = frozenset(Ability)
        self.world = World(self.directory)
        self.undo = FakeUndo(self.world)
        self._services = {service.name: service for service in system.services}

    def instances(self) -> tuple[Instance, ...]:
        return tuple(self.instance(name) for name in self._services)

    def instance(self, service: str) -> Instance:
        known, stopped = self._known(service), self._now("stopped", [])
        return Instance(
            service=service,
            kind=known.kind,
            instance_id=f"{service}-{1 + self._now('restarts', {}).get(service, 0)}",
            address=("127.0.0.1", 1),
            pid=None,
            start_time=None,
            state="stopped" if service in stopped else "running",
            restarts=self._now("restarts", {}).get(service, 0),
        )

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

    def kill(self, service: str) -> None:
        self._known(service)
        restarts = self._now("restarts", {})
        self.world.write(restarts={**restarts, service: restarts.get(service, 0) + 1})

    def stop(self, service: str) -> None:
        self._known(service)
        self.world.write(stopped=sorted({*self._now("stopped", []), service}))

    def start(self, service: str) -> None:
        self._known(service)
        self.world.write(stopped=[name for name in self._now("stopped", []) if name != service])

    def exec(self, service: str, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        self._known(service)
        helpers = self._now("helpers", {})
        of_service = {**helpers.get(service, {}), name: 1_000_000 + len(helpers)}
        self.world.write(helpers={**helpers, service: of_service})
        return int(of_service[name])

    def executed(self, service: str) -> Mapping[str, int]:
        self._known(service)
        return MappingProxyType(self._now("helpers", {}).get(service, {}))

    def end(self, service: str, name: str) -> None:
        helpers = self._now("helpers", {})
        left = {key: pid for key, pid in helpers.get(service, {}).items() if key != name}
        self.world.write(helpers={**helpers, service: left})

    def agent(self, service: str, path: str, payload: Json = None) -> Json:
        self._known(service)
        self.world.call(f"agent {service} {path}")
        return {}

    def move_listener(self, service: str, port: int | None) -> None:
        self._known(service)
        self.world.write(listeners={**self._now("listeners", {}), service: port})

    def hide_names(self, service: str, names: Collection[str]) -> None:
        self._known(service)
        self.world.write(hidden_names={**self._now("hidden_names", {}), service: sorted(names)})

    def pid_inside(self, service: str) -> int | None:
        return self.instance(service).pid

    def listens(self, service: str, port: int) -> bool:
        return True

    def control_group(self, service: str) -> ControlGroup | None:
        self._known(service)
        return None

    def net_namespace(self, service: str) -> NetNamespace | None:
        self._known(service)
        return None

    def inner_address(self, service: str) -> tuple[str, int] | None:
        return self.instance(service).address

    def free_port(self) -> int:
        return 1

    def store_dsn(self, service: str) -> str:
        self._known(service)
        return f"fake://{service}"

    def remember(self, key: str, value: Json) -> None:
        self.world.write(remembered={key: value, **self._now("remembered", {})})

    def recall(self, key: str) -> Json:
        return self._now("remembered", {}).get(key)

    def forget(self, key: str) -> None:
        self.world.write(remembered={name: value for name, value in self._now("remembered", {}).items() if name != key})

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
    abilities = frozenset(Ability)

    def refusal(self, system: System) -> str:
        return ""

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
