"""Public doubles for tests: a system, runtime, injector, fault and workload whose whole world is one small JSON file.

    ref = fake_deployment(tmp_path).ref
    with offered():  # the catalog offers the fakes, and only them
        experiment = compile_experiment(fake_scenario(), ref, injector="fake", records=str(path), tempo=QUICK)
        journal = play(experiment, on_edge=edges.append)

Because the world is a file, every attach sees the same one, in this process and in any other. A FakeFault can be told
to lie (`Lie`), a FakeClock makes waiting free.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from pytest_anomod.chaos.compile import Tempo
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import Ability, CodeLocation, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import ControlGroup, Instance, NetNamespace, Session, Stats
from pytest_anomod.model.scenario import Durations, Scenario
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.model.workload import OpenLoop

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
QUICK_DURATIONS = Durations(warmup_s=0.06, baseline_s=0.05, anomaly_s=0.08, recovery_s=0.05)
QUICK = Tempo(
    streak_s=0.03,
    looks=2,
    every_s=0.01,
    seen_timeout_s=0.15,
    gone_timeout_s=0.15,
    hold_every_s=0.02,
    steady_window_s=0.05,
)
HEALTHY_MS, ILL_MS = 2.0, 80.0
"""What the fake workload records of a response while the fault is out, and in."""


class World:
    """The state of a fake deployment: a JSON object in a file, replaced whole."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "world.json"

    def read(self) -> dict[str, Any]:
        """The world now."""
        try:
            world: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"calls": [], "fault_in": False, "prepared": False, "unhealthy": [], "remembered": {}, "undo": {}}
        return world

    def write(self, **changes: Json) -> None:
        """Change some of it."""
        fresh = self.path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        fresh.write_text(json.dumps({**self.read(), **changes}), encoding="utf-8")
        fresh.replace(self.path)

    def call(self, name: str) -> int:
        """Note that something was called; how often it was by now."""
        calls = [*self.read()["calls"], name]
        self.write(calls=calls)
        return calls.count(name)


class FakeUndo:
    """An undo log in the fake world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def record(self, entry: Mapping[str, Json]) -> str:
        undo = self._world.read()["undo"]
        name = f"entry-{len(undo)}"
        self._world.write(undo={**undo, name: dict(entry)})
        return name

    def done(self, entry_id: str) -> None:
        self._world.write(undo={**self._world.read()["undo"], entry_id: None})


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


class FakeInjector:
    """Carries a fault out by calling it."""

    name = "fake"

    def prepare(self, fault: Any, deployment: Any, target: str) -> None:
        fault.prepare(deployment, target)

    def inject(self, fault: Any, deployment: Any, target: str) -> Mapping[str, Json]:
        done: Mapping[str, Json] = fault.inject(deployment, target)
        return done

    def active(self, fault: Any, deployment: Any, target: str) -> Observation:
        looked: Observation = fault.active(deployment, target)
        return looked

    def recover(self, fault: Any, deployment: Any, target: str) -> None:
        fault.recover(deployment, target)


class Lie(StrEnum):
    """What a FakeFault may do other than it says."""

    NONE = ""
    NOT_PUT_IN = "inject does nothing"
    INJECT_FAILS = "inject raises"
    FLICKERS = "every second look does not see it"
    PREPARE_FAILS = "prepare raises"
    RECOVER_FAILS = "recover raises"
    RECOVER_FAILS_ONCE = "the first recover raises"
    STAYS = "recover does nothing"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FakeFault(FaultDefaults):
    """A fault that is a flag in the fake world, and does what `lie` says instead of what it should."""

    name: ClassVar[str] = "fake_fault"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[Ability]] = frozenset()

    lie: str = Lie.NONE
    text: str = ""

    def prepare(self, deployment: Any, target: str) -> None:
        deployment.world.call("prepare")
        if self.lie == Lie.PREPARE_FAILS:
            msg = f"told to fail to prepare {target}"
            raise InjectionError(msg)
        deployment.world.write(prepared=True)

    def inject(self, deployment: Any, target: str) -> Mapping[str, Json]:
        deployment.world.call("inject")
        if self.lie == Lie.INJECT_FAILS:
            msg = f"told to fail on {target}"
            raise InjectionError(msg)
        deployment.world.write(fault_in=self.lie != Lie.NOT_PUT_IN)
        return {"text": self.text}

    def active(self, deployment: Any, target: str) -> Observation:
        look = deployment.world.call("active")
        there = deployment.world.read()["fault_in"] and not (self.lie == Lie.FLICKERS and look % 2)
        return Observation(active=there, evidence={"look": look})

    def recover(self, deployment: Any, target: str) -> None:
        times = deployment.world.call("recover")
        if self.lie == Lie.RECOVER_FAILS or (self.lie == Lie.RECOVER_FAILS_ONCE and times == 1):
            msg = f"told to fail to recover {target}"
            raise InjectionError(msg)
        if self.lie != Lie.STAYS:
            deployment.world.write(fault_in=False, prepared=False)

    def locate(self, deployment: Any, target: str) -> CodeLocation | None:
        return CodeLocation(file="app.py", function="App.handle", first_line=3, last_line=9)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FakeLoad(OpenLoop):
    """A workload that sends nothing and writes the records it would have got; see `start`."""

    module: ClassVar[str] = "pytest_anomod.testing"


_writers: dict[str, tuple[threading.Event, threading.Thread]] = {}


def start(spec: Mapping[str, Json], records: str | Path) -> dict[str, Json]:
    """Begin to append records at the spec's rate, in a thread: quick ones, and slow ones while the fault is in."""
    ended = threading.Event()
    world = World(Path(str(spec["entry_url"]).removeprefix("fake://")))
    thread = threading.Thread(
        target=_write_records, args=(Path(records), float(spec["rate_rps"]), world, ended), daemon=True
    )
    _writers[str(records)] = ended, thread
    begin = clock.now_ns()
    thread.start()
    return {"records": str(records), "start_unix_nano": begin}


def stop(handle: Mapping[str, Json]) -> dict[str, Json]:
    """End the writing; idempotent."""
    if writer := _writers.pop(handle["records"], None):
        writer[0].set()
        writer[1].join()
    return {"state": "ended"}


def response(
    time_unix_nano: int, *, duration_ms: float = HEALTHY_MS, status: int = 200, error_kind: str = ""
) -> dict[str, Json]:
    """One line of a workload's record file."""
    return {
        "time_unix_nano": time_unix_nano,
        "duration_ns": int(duration_ms * 1e6),
        "status_code": status,
        "error_kind": error_kind,
    }


def _write_records(path: Path, rate_rps: float, world: World, ended: threading.Event) -> None:
    with path.open("a", encoding="utf-8") as file:
        while not ended.wait(1 / rate_rps):
            duration_ms = ILL_MS if world.read()["fault_in"] else HEALTHY_MS
            file.write(json.dumps(response(clock.now_ns() - int(duration_ms * 1e6), duration_ms=duration_ms)) + "\n")
            file.flush()


def fake_deployment(directory: Path) -> FakeDeployment:
    """A fake deployment that lives in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    return FakeDeployment({"runtime": "fake", "system": FAKE_SYSTEM.name, "directory": str(directory)})


def fake_scenario(*, fault: Any = None, control: bool = False, **changes: Any) -> Scenario:
    """A scenario over the fakes with windows of some hundredths of a second; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "name": "fake_scenario",
        "system": FAKE_SYSTEM.name,
        "fault": fault or FakeFault(),
        "target": "app",
        "level": Level.NORMAL if control else Level.SERVICE,
        "workload": FakeLoad(),
        "durations": QUICK_DURATIONS,
        "seed": 7,
        "expects": "normal" if control else "effective",
    }
    return Scenario(**{**fields, **changes})


@contextlib.contextmanager
def offered(*faults: Any) -> Iterator[None]:
    """Have the catalog offer the fakes and these further fault classes, and nothing else, while the block lasts."""
    fakes: dict[str, tuple[Any, ...]] = {
        "faults": (FakeFault, *faults),
        "systems": (FAKE_SYSTEM,),
        "runtimes": (FakeRuntime(),),
        "injectors": (FakeInjector(),),
    }
    before = catalog.offers

    def offers(group: str) -> dict[str, Any]:
        return {one.name: one for one in fakes.get(group, ())}

    catalog.offers = offers  # type: ignore[assignment]
    try:
        yield
    finally:
        catalog.offers = before


class FakeClock:
    """A clock that moves only when someone sleeps; `install` puts it in the place of model.clock's functions."""

    def __init__(self, start_ns: int = 1_700_000_000 * clock.NS_PER_S) -> None:
        self.ns = start_ns
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return self.ns

    def monotonic_s(self) -> float:
        return self.ns / clock.NS_PER_S

    def sleep(self, seconds: float) -> None:
        self.slept.append(max(0.0, seconds))
        self.ns += int(max(0.0, seconds) * clock.NS_PER_S)

    def install(self, setattr_: Callable[[Any, str, Any], None]) -> FakeClock:
        """Replace now_ns, monotonic_s and sleep with `monkeypatch.setattr`; returns itself."""
        for name in ("now_ns", "monotonic_s", "sleep"):
            setattr_(clock, name, getattr(self, name))
        return self
