"""The protocols of a runtime, which brings systems up, and of a deployment, a system that is up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.source import Source
from pytest_anomod.model.system import ServiceKind, System

C = TypeVar("C")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One pytest process (an xdist worker is one), which owns what it brings up.

    `directory` is private to it; `out` is the dataset's root; `run_id` is shared by all workers of a run.
    """

    run_id: str
    worker: str
    directory: Path
    out: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process (or container) of a service, as it is now; pid and start_time are None while it is down.

    `instance_id` is "<service>-<start>", the starts counted from 1; where a service has several containers it is
    "<service>.<number>-<start>".
    """

    service: str
    kind: ServiceKind
    instance_id: str
    address: tuple[str, int]
    """Where it is reached from here."""
    inner_address: tuple[str, int] | None = None
    """Where other services reach it; None while it is nowhere."""
    pid: int | None
    start_time: float | None
    state: str  # running | restarting | stopped
    restarts: int = 0
    engine: str = "http"
    """What it runs, as Service.engine says."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Resource use of a service (its process and children): CPU seconds since start, bytes of memory, bytes moved."""

    time_unix_nano: int
    cpu_s: float
    memory_bytes: int
    read_bytes: int
    written_bytes: int
    threads: int
    stopped: bool  # the main process is in state T (held by SIGSTOP)
    is_partial: bool = False  # of bytes moved and threads nothing is known


class UndoLog(Protocol):
    """Write-ahead undo journal of a session; a guardian process plays what is open when its owner dies."""

    def record(self, entry: Mapping[str, Json]) -> str:
        """Durably append an undo entry before the change is made; return its id. SafetyError without a guardian."""

    def done(self, entry_id: str) -> None:
        """The change is undone and that was verified."""


class Originals(Protocol):
    """What was changed and must be put back: written down, durably and outside the target, before the change."""

    def remember(self, key: str, value: Json) -> None:
        """Write an original down; the first value stays."""

    def recall(self, key: str) -> Json:
        """The remembered value, or None."""

    def forget(self, key: str) -> None:
        """Drop a remembered value, once it is restored and that was verified; idempotent."""


class Deployment(Protocol):
    """A system that is up. `ref` is JSON and enough for `Runtime.attach` in another process.

    Every method that names a service raises DeploymentError for an unknown one.
    """

    @property
    def ref(self) -> Mapping[str, Json]: ...

    @property
    def system(self) -> str: ...

    @property
    def runtime(self) -> str: ...

    @property
    def entry_url(self) -> str: ...

    @property
    def urls(self) -> Mapping[str, str]:
        """Services that users reach, and their base URLs."""

    @property
    def directory(self) -> Path:
        """Where what belongs to the deployment is kept; gone when it is taken down."""

    @property
    def undo(self) -> UndoLog: ...

    @property
    def originals(self) -> Originals: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user about things that are not as usual on this machine."""

    def instances(self, service: str = "") -> tuple[Instance, ...]:
        """All instances of a service, or of all services, as they are now; those of one service in a fixed order."""

    def capability(self, kind: type[C], service: str) -> C | None:
        """What can be done to a service now; None where it can't be, or not to a service that is down."""

    def sources(self) -> tuple[Source, ...]:
        """The sources of its telemetry."""

    def stats(self, service: str) -> Stats | None:
        """Resource use now; None while no process is there."""

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether the service does what its probe asks: takes a connection and answers a health request, say."""

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer; empty when all is well."""


def instance_of(deployment: Deployment, service: str) -> Instance:
    """The instance of a service that faults act on: its first, as it is now."""
    return deployment.instances(service)[0]


def need(deployment: Deployment, kind: type[C], service: str) -> C:
    """What can be done to a service; DeploymentError where it can't be."""
    found = deployment.capability(kind, service)
    if found is None:
        msg = f"runtime {deployment.runtime!r} has no {kind.__name__} for service {service!r} of {deployment.system!r}"
        raise DeploymentError(msg)
    return found


class Runtime(Protocol):
    """What brings systems up and takes them down."""

    name: str
    capabilities: frozenset[type]
    """What its deployments can do to their services, on this machine."""

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can. `auto` takes one that does not refuse."""

    def lacks(self, system: System, service: str, needs: frozenset[type]) -> frozenset[type]:
        """Those of the capabilities that a service of a system will not have; asked while tests are collected."""

    def up(self, system: System, session: Session, *, entry_port: int | None = None, seed: int = 1) -> Deployment:
        """Bring a system up and return once it is healthy; DeploymentError names what did not come up."""

    def attach(self, ref: Mapping[str, Json]) -> Deployment:
        """The deployment behind a ref, from any process."""

    def down(self, deployment: Deployment) -> None:
        """Take it down; nothing of it is left on return; idempotent."""

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions left; one line per thing removed."""
