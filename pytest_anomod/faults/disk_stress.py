"""A target whose disk is busy: large synchronous writes fill the disk's queue while each write of its own waits."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _durable, _programs
from pytest_anomod.faults._chaos_mesh import resource
from pytest_anomod.faults._parameters import refuse, refuse_target, whole, within
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Ability, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_NAME = "writer"
_IN_MEMORY = ("tmpfs", "ramfs")
_CALM_WITHIN_S = 20.0
"""How long a disk that somebody else keeps busy gets to calm down before the baseline."""
_FLUSH = getattr(os, "fdatasync", os.fsync)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskStress(FaultDefaults):
    """`writers` write `block_kb` at a time, synchronously and past the cache, over `total_mb` on the target's volume.

    They rest as much as they can while a small write still waits about `stall_ms`: to keep a disk busy is to write
    gigabytes a second on a fast one. After `budget_gb` in all they end, for the disk's sake, and the fault with them.
    Replicas don't wait for the disk, so `prepare` has the target do so before the baseline, a store at each commit
    (fsync) and a service at each write of log and spans: it alone then feels the disk. Whatever else on this machine
    waits for that disk feels it too, hence `host_wide`.
    """

    name: ClassVar[str] = "disk_stress"
    level: ClassVar[Level] = Level.PERFORMANCE
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.EXEC, Ability.STORE})
    host_wide: ClassVar[bool] = True

    writers: int = 8
    block_kb: int = 32_768
    total_mb: int = 256
    stall_ms: float = 40
    budget_gb: float = 400

    def __post_init__(self) -> None:
        whole(self, "writers", 1, 32, "threads")
        whole(self, "block_kb", 64, 65_536, "kB")
        whole(self, "total_mb", 8, 256, "MB")
        within(self, "stall_ms", 2, 1_000, "ms")
        within(self, "budget_gb", 0.1, 10_000, "GB")
        if self.writers * self.block_kb > self.total_mb << 10:
            refuse(self, "total_mb", f"must hold a block of {self.block_kb} kB for each of {self.writers} writers")

    def check(self, system: System, target: str) -> None:
        kind = system.service(target).kind
        if kind in (ServiceKind.CACHE, ServiceKind.QUEUE):
            refuse_target(self, target, f"it is of kind {kind} and waits for no disk; aim at a docstore or a service")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """Have the target wait for the disk at every commit, and measure how long that takes on a quiet disk.

        What it had not written through so far goes to disk first: that would slow the baseline.
        """
        kind = _filesystem(deployment.directory)
        if kind in _IN_MEMORY:
            msg = f"{deployment.directory} is on {kind}: no disk to stress; set ANOMOD_STATE_DIR to a directory on one"
            raise InjectionError(msg)

        self._wait_calm(deployment.directory)
        commits = _durable.make(deployment, target)
        writes = _small_writes_s(deployment.directory)
        deployment.forget(_quiet(target))
        # the quicker ones tell of the disk, the slower ones of whatever else this machine was busy with
        deployment.remember(_quiet(target), {"commit_s": _lower(commits or writes), "write_s": _lower(writes)})

    def _wait_calm(self, directory: Path) -> None:
        """Wait until small writes take less than a quarter of what they will; InjectionError if they never do."""
        until = clock.monotonic_s() + _CALM_WITHIN_S
        while (wait_s := _lower(_small_writes_s(directory))) > 2.5e-4 * self.stall_ms:
            if clock.monotonic_s() > until:
                msg = (
                    f"the disk of {directory} is busy already: small writes wait {1e3 * wait_s:.0f} ms there, and "
                    f"stall_ms={self.stall_ms:g} could not be told from that; end what keeps it busy, or stall longer"
                )
                raise InjectionError(msg)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        if not _durable.is_made(deployment, target):
            self.prepare(deployment, target)
        helper = _programs.start(
            deployment,
            target,
            "writers",
            _NAME,
            directory=deployment.directory / "stores",
            **dataclasses.asdict(self),
        )
        _programs.wait_running(deployment, target, _NAME, 0.3)
        return {"helper_pid": helper, "quiet": deployment.recall(_quiet(target))}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether writes of the target, and small writes of our own beside it, both wait for longer than they did.

        That the writers write is seen as well: whoever else uses this disk may make others wait.
        """
        quiet = deployment.recall(_quiet(target))
        if quiet is None:
            return Observation(active=False, evidence={"quiet": None})

        helper = deployment.executed(target).get(_NAME)
        written = _written_bytes(helper)
        seen = _durable.look(deployment, target)
        seen["write_s"] = statistics.median(_small_writes_s(deployment.directory))
        least = {"commit_s": max(3 * quiet["commit_s"], 2e-4 * self.stall_ms), "write_s": 2 * quiet["write_s"]}
        written = _written_bytes(helper) - written
        waits = all(seen[name] is None or seen[name] >= seconds for name, seconds in least.items())
        evidence = {**seen, "written_mb": round(written / 1e6, 1), "quiet": quiet, "at_least": least}
        return Observation(active=seen["fsync"] == "on" and written > 0 and waits, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the writers, have the target as careless as it was."""
        deployment.end(target, _NAME)
        _durable.undo(deployment, target)

    def blade(self, target: str) -> Mapping[str, Json]:
        size = str(max(1, self.block_kb >> 10))
        return {
            "args": ["cri", "disk", "burn", "--write", "--path", "/", "--size", size, "--container-name", target],
            "refusal": f"blade's disk burn would fill {100 * self.block_kb * self.writers >> 20} GiB of this machine's "
            "disk, and what it started writes on after its end",
        }

    def chaos_mesh(self, target: str) -> Mapping[str, Json]:
        """The delay itself, on the volume of a MongoDB."""
        return resource(
            "IOChaos",
            target,
            action="latency",
            volumePath="/data/db",
            delay=f"{self.stall_ms:g}ms",
            percent=100,
        )


def _quiet(target: str) -> str:
    """Figures of the quiet disk: no originals, so they outlive the recovery, whose absence of stress they show."""
    return f"disk_stress quiet {target}"


def _written_bytes(pid: int | None) -> float:
    """What a program has sent to the disk so far; its CPU seconds where the system does not count bytes (macOS)."""
    import psutil

    if pid is None:
        return 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        counters = getattr(process, "io_counters", None)
        return counters().write_bytes if counters else sum(process.cpu_times()[:2]) * 1e9
    return 0


def _small_writes_s(directory: Path) -> list[float]:
    """Seconds of a few small writes that wait for the disk; over a block that is there, so no journal is asked.

    The file has no name while it is used.
    """
    import tempfile

    with tempfile.TemporaryFile(dir=directory) as file:
        os.pwrite(file.fileno(), b"\0" * 4096, 0)
        os.fsync(file.fileno())
        times = []
        for _ in range(7):
            clock.sleep(0.01)
            began = clock.monotonic_s()
            os.pwrite(file.fileno(), b"\1" * 4096, 0)
            _FLUSH(file.fileno())
            times.append(clock.monotonic_s() - began)
    return sorted(times)


def _lower(times: list[float]) -> float:
    """The lower quartile of sorted times."""
    return times[len(times) // 4]


def _filesystem(directory: Path) -> str:
    """Kind of the file system a directory is on; "" where that can't be told (no /proc)."""
    best = ("", "")
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    for fields in (line.split() for line in lines):
        mount = fields[1].replace("\\040", " ")
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, fields[2])
    return best[1]


OFFERS = (DiskStress,)
