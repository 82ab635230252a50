"""What brings a system up, and what can be done to it once it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pytest_anomod.model.fault import Ability, Json
from pytest_anomod.model.system import ServiceKind, System


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One pytest process (an xdist worker is one): whose things are whose.

    `directory` is private to it; `out` is the dataset's root; `run_id` is shared by all workers of a run.
    """

    run_id: str
    worker: str
    directory: Path
    out: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process (or container) of a service, as it is now; pid and start_time are None while it is down."""

    service: str
    kind: ServiceKind
    instance_id: str
    address: tuple[str, int]
    pid: int | None
    start_time: float | None
    state: str  # running | restarting | stopped
    restarts: int = 0
    log_file: Path | None = None
    log_format: str = "json"  # json | redis | postgres
    span_file: Path | None = None
    metrics_url: str | None = None
    agent_url: str | None = None


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


class Limit(StrEnum):
    """What a control group can be held to."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuUse:
    """Of a control group since it was made: CPU seconds; periods under a limit, in how many it was held, how long."""

    used_s: float
    periods: int
    throttled: int
    throttled_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """Of a control group: bytes used, less idle cache; the limit (None: none), how often it was hit, kills for it."""

    used_bytes: int
    working_bytes: int
    limit_bytes: int | None
    hits: int
    kills: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """Of a control group since it was made: what its processes themselves moved to and from all disks."""

    read_bytes: int
    written_bytes: int
    writes: int


class ControlGroup(Protocol):
    """The control group of a service's container: limits that hold for all its processes together, and counters.

    It is gone with the container's process: a container that is started again has a new one, without these limits.
    Every method raises DeploymentError when the kernel has no such file, does not take a value, or the group is gone.
    """

    def limit(self, what: Limit, device: str = "") -> dict[str, str]:
        """The texts that put a limit back as it is now, by file; of a disk that of one device ("MAJ:MIN")."""

    def put_back(self, texts: Mapping[str, str]) -> None:
        """Write such texts and see that they hold."""

    def limit_cpu(self, quota_us: int, period_us: int) -> None:
        """Let all processes together run so many microseconds of each period."""

    def limit_memory(self, limit_bytes: int) -> None:
        """Let them use so much memory, and no swap beyond it."""

    def limit_writes(self, device: str, writes_per_s: int = 0, bytes_per_s: int = 0) -> None:
        """Let them write to a device (a whole disk) so often and so much a second; 0 for no limit."""

    def cpu_share(self) -> float | None:
        """The cores that the limit comes to; None without one."""

    def cpu(self) -> CpuUse:
        """What they use, and how they are held."""

    def memory(self) -> MemoryUse:
        """The same of memory."""

    def disk(self) -> DiskUse:
        """The same of disks."""


class UndoLog(Protocol):
    """Write-ahead undo journal of a session; a guardian process plays what is open when its owner dies."""

    def record(self, entry: Mapping[str, Json]) -> str:
        """Durably append an undo entry before the change is made; return its id. SafetyError without a guardian."""

    def done(self, entry_id: str) -> None:
        """The change is undone and that was verified."""


class NetNamespace(Protocol):
    """The network of a service's container, and of nobody else: rules in it end with the container at the latest.

    Rules are put in under a tag, as one set; whatever is said of a tag is found by its name alone, by any process.
    """

    def put(self, tag: str, rules: Sequence[Sequence[str]]) -> None:
        """Have these rules (words of iptables, without -A and its chain) judge all packets that come or go.

        Packets of the loopback device and of our own agent are never judged. A set that was there is replaced.
        """

    def lose(self, tag: str, share: float) -> str:
        """Have this share (0 to 1) of the TCP packets that come or go get lost, by rules of their own; say by what.

        That is netem where the kernel has it, else the statistic match of iptables. Spared is what `put` spares.
        """

    def counted(self, tag: str) -> tuple[int, ...]:
        """Packets that each rule met so far, in the order they were put in; () when there is no such set."""

    def clear(self, tag: str) -> None:
        """Take a set away and see that it is gone; idempotent."""

    def reset_connections(self, addresses: Collection[str] = ()) -> None:
        """Reset the connections to those addresses (none: all but those of the agent), so that none waits on."""

    def reaches(self, address: tuple[str, int], timeout_s: float) -> bool:
        """Whether a connection can be made from inside to an address."""


class Deployment(Protocol):
    """A system that is up. `ref` is JSON and enough for `Runtime.attach` in another process.

    Every method that names a service raises DeploymentError for an unknown one or when the runtime can't do it.
    """

    ref: Mapping[str, Json]
    system: str
    runtime: str
    entry_url: str
    urls: Mapping[str, str]  # public services -> base URL
    abilities: frozenset[Ability]
    directory: Path
    undo: UndoLog
    listen_host: str
    """The address that services listen on, as programs inside their boundary see it."""

    def instances(self) -> tuple[Instance, ...]:
        """All instances, as they are now."""

    def instance(self, service: str) -> Instance:
        """The instance of a service, as it is now."""

    def stats(self, service: str) -> Stats | None:
        """Resource use now; None while no process is there."""

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether the service takes a connection on its public address and answers a health request."""

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer; empty when all is well."""

    def kill(self, service: str) -> None:
        """SIGKILL the very process that runs now; the restart policy brings it back."""

    def stop(self, service: str) -> None:
        """Stop the service for good and remove its name from resolution; idempotent."""

    def start(self, service: str) -> None:
        """Start a stopped service and wait until it answers; idempotent."""

    def exec(self, service: str, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a helper program inside the boundary of a service; return its pid. It ends itself at the deadline."""

    def executed(self, service: str) -> Mapping[str, int]:
        """Helper programs that run in the boundary of a service now: name -> pid."""

    def end(self, service: str, name: str) -> None:
        """End a helper program and its children and wait until they are gone; idempotent."""

    def agent(self, service: str, path: str, payload: Json = None) -> Json:
        """Ask the agent inside a service (POST JSON); DeploymentError when it can't be reached."""

    def move_listener(self, service: str, port: int | None) -> None:
        """Have the service listen on another port (None: its own again); closes pooled connections; idempotent."""

    def hide_names(self, service: str, names: Collection[str]) -> None:
        """Have the service's resolver not know just these names (none: it knows all), restarted too; idempotent."""

    def pid_inside(self, service: str) -> int | None:
        """Pid of the service's process as helper programs inside its boundary know it; None while there is none."""

    def listens(self, service: str, port: int) -> bool:
        """Whether something inside the boundary of a service listens on a port."""

    def control_group(self, service: str) -> ControlGroup | None:
        """That of the service's container; None where there is none, none is ours to limit, or it does not run now."""

    def net_namespace(self, service: str) -> NetNamespace | None:
        """The network namespace of a service as it runs now; None where it has none of its own, or can't be ruled."""

    def inner_address(self, service: str) -> tuple[str, int] | None:
        """Where other services reach a service; None while it is nowhere."""

    def free_port(self) -> int:
        """A port of this deployment's own block that nothing listens on."""

    def store_dsn(self, service: str) -> str:
        """Where a store is reached by an administrator: postgresql://user:password@host:port/database or redis://host:port/0."""

    def remember(self, key: str, value: Json) -> None:
        """Write an original down, durably and outside the target, before it is changed; the first value stays."""

    def recall(self, key: str) -> Json:
        """The remembered value, or None."""

    def forget(self, key: str) -> None:
        """Drop a remembered value, once it is restored and that was verified; idempotent."""


class KeepsOutput(Protocol):
    """A deployment whose engine keeps what its services say; without one they write log files (Instance.log_file)."""

    def output(self, service: str, since_ns: int) -> Sequence[tuple[int, bytes]]:
        """Lines since a time, in order, without their ends, each with the time (Unix, ns) when the engine took it."""


class Runtime(Protocol):
    """What brings systems up and takes them down."""

    name: str
    abilities: frozenset[Ability]

    def refusal(self, system: System) -> str:
        """Why this runtime can't bring a system up; "" when it can. `auto` takes one that does not refuse."""

    def up(self, system: System, session: Session, *, entry_port: int | None = None, seed: int = 1) -> Deployment:
        """Bring a system up and return once it is healthy; DeploymentError names what did not come up."""

    def attach(self, ref: Mapping[str, Json]) -> Deployment:
        """The deployment behind a ref, from any process."""

    def down(self, deployment: Deployment) -> None:
        """Take it down; nothing of it is left on return; idempotent."""

    def sweep(self) -> tuple[str, ...]:
        """Remove what dead sessions left; one line per thing removed."""
