"""What a deployment can do to a service: small protocols, asked for one at a time by `Deployment.capability`.

A fault names those it needs by type (`Fault.needs`), a runtime those it has (`Runtime.capabilities`). They act on the
first instance of a service. Methods raise DeploymentError when it can't be done. Capabilities that must be undone even
if the service is down (Lifecycle, Programs, Listener, Resolver) are there for a service that is down, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pytest_anomod.model.fault import Json


class Lifecycle(Protocol):
    """Kill, stop and start a service."""

    def kill(self) -> None:
        """SIGKILL the very process that runs now, and wait until it is dead; the restart policy brings it back."""

    def stop(self) -> None:
        """Stop the service for good and remove its name from resolution; idempotent."""

    def start(self) -> None:
        """Start a stopped service and wait until it answers; idempotent."""


class LocalProcess(Protocol):
    """The processes of a service are processes of this machine, and may be sent signals."""

    def pid(self) -> int | None:
        """Pid of the service's process on this machine; None while there is none."""

    def inner_pid(self) -> int | None:
        """The same process as helper programs inside the boundary of the service know it."""


class ProcessMemory(Protocol):
    """Private memory of the processes of a service, and what each may have of it (RLIMIT_DATA, Linux only).

    Pids are those by which they know themselves.
    """

    def server(self) -> int | None:
        """The process that started all others; None while there is none."""

    def processes(self) -> Mapping[int, tuple[int, int | None]]:
        """Bytes that each has, and its soft limit (None: there is none)."""

    def limit(self, pids: Collection[int], limit_bytes: int | None) -> None:
        """Set the soft limit of processes; those that are gone are left out."""


class Programs(Protocol):
    """Helper programs inside the boundary of a service: what they use is counted to the service."""

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program; return its pid. It ends itself at the deadline."""

    def running(self) -> Mapping[str, int]:
        """Programs that run now: name -> pid."""

    def end(self, name: str) -> None:
        """End a program and its children and wait until they are gone; idempotent."""


class Agent(Protocol):
    """Our agent inside a service: it counts lines and patches functions."""

    def ask(self, path: str, payload: Json = None) -> Json:
        """Send a request (POST JSON) and return the answer."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """Where a relay must be: it listens on (host, listen), forwards to (upstream_host, upstream), creates `ready`."""

    host: str
    listen: int
    upstream_host: str
    upstream: int
    ready: int


class Listener(Protocol):
    """The address of a service can be given to a relay, a program of ours inside the boundary of the service."""

    def detour(self) -> Detour:
        """Ports for a relay; nothing is changed yet."""

    def divert(self, detour: Detour) -> None:
        """Have what is sent to the service go to the relay, which is ready; connections kept so far are closed."""

    def restore(self) -> None:
        """Have it go to the service again, relay or not; idempotent."""

    def is_listening(self, port: int) -> bool:
        """Whether something inside the boundary of the service listens on a port."""


class Resolver(Protocol):
    """The name resolution of one service, and of no other."""

    def hide(self, names: Collection[str]) -> None:
        """Make exactly these names of services not resolve (none: all do), after a restart too; idempotent.

        Connections that the service keeps to them are closed.
        """

    def resolved(self, names: Collection[str]) -> frozenset[str]:
        """Those of the names that resolve for the service now."""

    def connections(self, names: Collection[str]) -> int:
        """Connections that the service has open to services of these names."""


class StoreLogin(Protocol):
    """A store that an administrator can reach."""

    def dsn(self) -> str:
        """URL with user and password: postgresql://user:password@host:port/database, redis://host:port/0 ..."""


class Volume(Protocol):
    """A directory of this machine on the disk that a service writes to."""

    def directory(self) -> Path:
        """The directory; programs may write files of their own to it."""


class WrittenFiles(Protocol):
    """What a service writes to as it works, and waits for if it waits for its disk: files of this machine."""

    def paths(self) -> Sequence[Path]:
        """Files, and directories of files that are made as it works; a store's journal, a service's log and spans."""


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PodsOf:
    """How the pods of a service are found and entered.

    `place` is where the cluster is (host/cluster.py), `labels` choose these pods and no others of `namespace`,
    `container` is the service's own in each of them, `port` is where it listens there; 0 for none. `replaceable` says
    whether they may be deleted, for their workload to make new ones: their owner has allowed it, or they are ours.
    """

    place: Mapping[str, Json]
    namespace: str
    labels: Mapping[str, str]
    container: str
    port: int = 0
    replaceable: bool = True


class Pods(Protocol):
    """The pods of a service in a cluster, for what chooses them by labels."""

    def where(self) -> PodsOf:
        """How they are found; there may be none of them now."""


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


class PeerPolicy(Protocol):
    """A policy that closes the network of a service to some of its peers, and that something else enforces."""

    def close(self, peers: Mapping[str, str]) -> None:
        """Have no packet pass between it and these services (and their addresses), on old connections or new ones.

        DeploymentError where nothing enforces that; there is no such policy then.
        """

    def open(self) -> None:
        """Take the policy away, and see that it is gone; idempotent."""

    def is_closed(self) -> bool:
        """Whether there is such a policy."""

    def reached(self, addresses: Mapping[str, tuple[str, int]], patience_s: float) -> frozenset[str]:
        """Those of these services to which a connection can be made from inside."""


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
