"""Fault disk_stress: large synchronous writes fill the disk's queue while each write of the target waits."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _disk, _durable, _programs
from pytest_anomod.faults._parameters import refuse, whole, within
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Programs, Volume
from pytest_anomod.model.errors import BusyMachineError, InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_NAME, _TRIAL = "writer", "writer trial"
_IN_MEMORY = ("tmpfs", "ramfs")
_CALM_WITHIN_S = 20.0
"""How long a disk that somebody else keeps busy gets to calm down before the baseline."""
_TRIAL_S, _TRIAL_DEADLINE_S = 3.0, 15.0
_ENOUGH = 2.5
"""How many times the usual stall is more than any proof asks for on a disk that is calm enough to begin with."""
_UTMOST_MS = 60_000.0
"""A stall that no disk comes to: all writers write."""
_MARGIN, _CLEARLY = 1.5, 4
"""How far above its proof a stall must be able to get to hold, and how far it is wanted to be for users to feel it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskStress(FaultDefaults):
    """Up to `writers` write `block_kb` at a time without a pause, past the cache, over `total_mb` on the target's disk.

    As many write at a time as it takes for a small write to wait about `stall_ms`, or longer where it waited already.
    That keeps the disk's queue full, with gigabytes a second on a fast one: after `budget_gb` in all the writers end,
    for the disk's sake, and the fault with them. Replicas don't wait for the disk, so with the stress the target's
    files are had to wait for it, a store's at each commit and a service's at each write of log and spans: it alone
    then feels the disk. Where files can't be had to (`_durable.py`), `prepare` has the target itself do so before the
    baseline. Whatever else on this machine waits for that disk feels it too, hence `host_wide`.
    """

    name: ClassVar[str] = "disk_stress"
    level: ClassVar[Level] = Level.PERFORMANCE
    needs: ClassVar[frozenset[type]] = frozenset({Programs, Volume})
    host_wide: ClassVar[bool] = True
    dial: ClassVar[Dial] = steps(stall_ms=(10, 20, 40, 100, 300))

    writers: int = 64
    block_kb: int = 4_096
    total_mb: int = 256
    stall_ms: float = 40
    budget_gb: float = 400

    def __post_init__(self) -> None:
        whole(self, "writers", 1, 64, "threads")
        whole(self, "block_kb", 64, 65_536, "kB")
        whole(self, "total_mb", 8, 512, "MB")
        within(self, "stall_ms", 2, 1_000, "ms")
        within(self, "budget_gb", 0.1, 10_000, "GB")
        if self.writers * self.block_kb > self.total_mb << 10:
            refuse(self, "total_mb", f"must hold a block of {self.block_kb} kB for each of {self.writers} writers")

    def check(self, system: System, target: str) -> None:
        _durable.check(self, system, target)

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that this disk can be stalled, and measure it while it is calm."""
        directory = _disk.of(deployment, target)
        if (kind := _disk.filesystem(directory)) in _IN_MEMORY:
            msg = f"{directory} is on {kind}: no disk to stress; set ANOMOD_STATE_DIR to a directory on one"
            raise InjectionError(msg)

        self._wait_calm(directory)
        utmost = self._try_out(deployment, target)
        self._wait_calm(directory)
        commits = [] if _durable.files(deployment, target) else _durable.make(deployment, target)
        _durable.look(deployment, target)  # opens the session that later looks use
        writes = _disk.small_writes_s(directory)
        # the quicker ones tell of the disk, the slower ones of whatever else this machine was busy with
        quiet = {"commit_s": _disk.lower(commits or writes), "write_s": _disk.lower(writes)}
        self._see_it_can_hold(directory, quiet, utmost)
        deployment.originals.forget(_quiet(target))
        deployment.originals.remember(_quiet(target), quiet)
        deployment.originals.forget(_utmost(target))
        deployment.originals.remember(_utmost(target), utmost)

    def _wait_calm(self, directory: Path) -> None:
        """Wait until small writes take less than a quarter of what they will; BusyMachineError if they never do."""
        until = clock.monotonic_s() + _CALM_WITHIN_S
        while (wait_s := _disk.lower(_disk.small_writes_s(directory))) > 2.5e-4 * self.stall_ms:
            if clock.monotonic_s() > until:
                msg = (
                    f"the disk of {directory} is busy already: small writes wait {1e3 * wait_s:.0f} ms there, and "
                    f"stall_ms={self.stall_ms:g} could not be told from that; end what keeps it busy, or stall longer"
                )
                raise BusyMachineError(msg)

    def _try_out(self, deployment: Deployment, target: str) -> dict[str, float]:
        """Let all writers write for a moment: how long small writes wait then, and how much goes to the disk."""
        self._start(deployment, target, _TRIAL, _UTMOST_MS, _TRIAL_DEADLINE_S)
        try:
            _programs.wait_running(deployment, target, _TRIAL, 0.3)
            pid = _programs.running(deployment, target, _TRIAL)
            began, written, wait_s = clock.monotonic_s(), _disk.written_bytes(pid), 0.0
            while True:
                wait_s = max(wait_s, _disk.lower(_disk.small_writes_s(_disk.of(deployment, target))))
                took_s = clock.monotonic_s() - began
                if wait_s > _ENOUGH * 1e-3 * self.stall_ms or took_s > _TRIAL_S:
                    break
            rate = (_disk.written_bytes(pid) - written) / took_s
        finally:
            _programs.end(deployment, target, _TRIAL)
        return {"write_s": wait_s, "gb_per_s": rate / 1e9}

    def _see_it_can_hold(self, directory: Path, quiet: Mapping[str, float], utmost: Mapping[str, float]) -> None:
        """InjectionError for a disk too fast for these writers, BusyMachineError where others' writes made it slow."""
        wanted_s = _MARGIN * max(self._least(quiet).values())
        if utmost["write_s"] >= wanted_s:
            return
        msg = (
            f"the disk of {directory} can't be kept busy enough: a small write waited {1e3 * quiet['write_s']:.1f} ms, "
            f"a commit {1e3 * quiet['commit_s']:.1f} ms; while {self.writers} writers of {self.block_kb} kB sent it "
            f"{utmost['gb_per_s']:.1f} GB/s a small write waited {1e3 * utmost['write_s']:.1f} ms, and "
            f"{1e3 * wanted_s:.1f} ms are needed"
        )
        if wanted_s > _MARGIN * self._own_least_s:
            raise BusyMachineError(f"{msg}; this machine is too busy, end what writes to its disk")
        raise InjectionError(f"{msg}; give more writers or larger blocks, or set ANOMOD_STATE_DIR to another disk")

    @property
    def _own_least_s(self) -> float:
        """How long a commit must take now, however quick it was."""
        return 2e-4 * self.stall_ms

    def _least(self, quiet: Mapping[str, float]) -> dict[str, float]:
        """What proves the stall: how long commits of the target and small writes of our own must take."""
        return {"commit_s": max(3 * quiet["commit_s"], self._own_least_s), "write_s": 2 * quiet["write_s"]}

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        if deployment.originals.recall(_utmost(target)) is None:
            self.prepare(deployment, target)
        quiet, utmost = self._quiet_now(deployment, target), deployment.originals.recall(_utmost(target))
        self._see_it_can_hold(_disk.of(deployment, target), quiet, utmost)
        if not _durable.is_made(deployment, target):
            _durable.make(deployment, target)
        stall_ms = max(self.stall_ms, 1e3 * _CLEARLY * max(self._least(quiet).values()))
        helper = self._start(deployment, target, _NAME, stall_ms, _programs.DEADLINE_S)
        _programs.wait_running(deployment, target, _NAME, 0.3)
        lasts_s = round(self.budget_gb / max(utmost["gb_per_s"], 1e-3))
        return {"helper_pid": helper, "quiet": quiet, "stall_ms": stall_ms, "budget_lasts_s": lasts_s}

    def _quiet_now(self, deployment: Deployment, target: str) -> dict[str, float]:
        """Without our writers: what `prepare` measured, and what writes to the disk take longer now than then."""
        quiet: dict[str, float] = deployment.originals.recall(_quiet(target))
        write_s = _disk.lower(_disk.small_writes_s(_disk.of(deployment, target)))
        if (longer_s := write_s - quiet["write_s"]) > 0:
            quiet = {"commit_s": quiet["commit_s"] + longer_s, "write_s": write_s}
            deployment.originals.forget(_quiet(target))
            deployment.originals.remember(_quiet(target), quiet)
        return quiet

    def _start(self, deployment: Deployment, target: str, name: str, stall_ms: float, deadline_s: float) -> int:
        options = {"stall_ms": stall_ms, "deadline_s": deadline_s, "directory": _disk.of(deployment, target)}
        return _programs.start(deployment, target, "writers", name, **{**dataclasses.asdict(self), **options})

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether writes of the target, and small writes of our own beside it, both wait for longer than they did.

        That the writers write is seen as well: whoever else uses this disk may make others wait.
        """
        quiet = deployment.originals.recall(_quiet(target))
        if quiet is None:
            return Observation(active=False, evidence={"quiet": None})

        helper = _programs.running(deployment, target, _NAME)
        written = _disk.written_bytes(helper)
        seen = _durable.look(deployment, target)
        seen["write_s"] = statistics.median(_disk.small_writes_s(_disk.of(deployment, target)))
        least = self._least(quiet)
        written = _disk.written_bytes(helper) - written
        waits = all(seen[name] is None or seen[name] >= seconds for name, seconds in least.items())
        evidence = {**seen, "written_mb": round(written / 1e6, 1), "quiet": quiet, "at_least": least}
        return Observation(active=seen["fsync"] != "off" and written > 0 and waits, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the writers, and make the target wait for the disk no more than before."""
        _programs.end(deployment, target, _NAME)
        _durable.undo(deployment, target)


def _quiet(target: str) -> str:
    """Figures of the quiet disk: no originals, so they outlive the recovery, whose absence of stress they show."""
    return f"disk_stress quiet {target}"


def _utmost(target: str) -> str:
    """Figures of the disk while all writers wrote, as `_quiet`."""
    return f"disk_stress utmost {target}"


OFFERS = (DiskStress,)
