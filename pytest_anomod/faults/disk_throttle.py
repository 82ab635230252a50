"""Fault disk_throttle: a container may write only so often, or so much a second."""

from __future__ import annotations

import dataclasses
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _disk, _durable, _limits
from pytest_anomod.faults._parameters import refuse, whole
from pytest_anomod.model.capability import ControlGroup, Limit, Volume
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_BLOCKS = Path("/sys/dev/block")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DiskThrottle(FaultDefaults):
    """At most `writes_per_s` writes and `kb_per_s` kB a second reach the disk from the target's container; 0: no limit.

    The kernel queues what is beyond that, and nobody else feels it. As replicas don't wait for the disk, `prepare` has
    the target do so before the baseline, as `disk_stress` does: a store at each commit, a service at each write of log
    and spans. Give less than the target wants: a service writes some ten times a second.
    """

    name: ClassVar[str] = "disk_throttle"
    level: ClassVar[Level] = Level.PERFORMANCE
    needs: ClassVar[frozenset[type]] = frozenset({ControlGroup, Volume})
    dial: ClassVar[Dial] = steps(writes_per_s=(30, 20, 10, 5, 2))

    writes_per_s: int = 20
    kb_per_s: int = 0

    def __post_init__(self) -> None:
        whole(self, "writes_per_s", 0, 100_000, "writes a second")
        whole(self, "kb_per_s", 0, 10_000_000, "kB a second")
        if not self.writes_per_s and not self.kb_per_s:
            refuse(self, "writes_per_s", "is no limit, and kb_per_s=0 is none either; give one of them")
        if 0 < self.writes_per_s < 2:
            refuse(self, "writes_per_s", "must be 0 or at least 2: with less the target stands still for minutes")
        if 0 < self.kb_per_s < 64:
            refuse(self, "kb_per_s", "must be 0 or at least 64: with less the target stands still for minutes")

    def check(self, system: System, target: str) -> None:
        _durable.check(self, system, target)

    def prepare(self, deployment: Deployment, target: str) -> None:
        """Have the target wait for the disk, and measure how long a store's commits take on a quiet one."""
        disk(_disk.of(deployment, target))
        _limits.group_of(deployment, target)
        commits = _durable.make(deployment, target)
        deployment.originals.forget(_quiet(target))
        deployment.originals.remember(_quiet(target), statistics.median(commits) if commits else None)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        if not _durable.is_made(deployment, target):
            self.prepare(deployment, target)
        device, group = disk(_disk.of(deployment, target)), _limits.group_of(deployment, target)
        deployment.originals.remember(_original(target), group.limit(Limit.DISK, device))
        group.limit_writes(device, self.writes_per_s, 1024 * self.kb_per_s)
        return {
            "device": device,
            "limit": group.limit(Limit.DISK, device),
            "quiet_s": deployment.originals.recall(_quiet(target)),
        }

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the kernel has the limit, and the target's writes wait for longer than before.

        A service that did not write while it was looked at did not wait either: then the limit alone must do.
        """
        group, before = deployment.capability(ControlGroup, target), deployment.originals.recall(_original(target))
        if group is None or before is None or not _durable.is_made(deployment, target):
            return Observation(active=False, evidence={"limit": None})
        device = disk(_disk.of(deployment, target))
        try:
            limit, writes = group.limit(Limit.DISK, device), group.disk().writes
            if not self._is_ours(limit):
                return Observation(active=False, evidence={"limit": limit})
            seen = _durable.look(deployment, target)
            written = group.disk().writes - writes
        except DeploymentError as error:  # the container has ended, and its limit with it
            return Observation(active=False, evidence={"limit": None, "error": str(error)})
        least_s = self._least_s(deployment.originals.recall(_quiet(target)))
        waits = seen["commit_s"] is None or seen["commit_s"] >= least_s
        evidence = {**seen, "limit": limit, "writes_in_look": written, "at_least_s": least_s}
        return Observation(active=seen["fsync"] != "off" and waits, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Lift the limit first: what waits for the disk would hold up all else."""
        _limits.put_back(deployment, target, _original(target))
        _durable.undo(deployment, target)

    def _is_ours(self, limit: Mapping[str, str]) -> bool:
        """Whether the kernel's texts say these numbers, in either version's way."""
        words = set(" ".join(limit.values()).replace("=", " ").split())
        numbers = [number for number in (self.writes_per_s, 1024 * self.kb_per_s) if number]
        return all(str(number) in words for number in numbers)

    def _least_s(self, quiet_s: float | None) -> float:
        """How long a write of the target must take now."""
        return max(0.3 / self.writes_per_s if self.writes_per_s else 0.005, 3 * (quiet_s or 0.0))


def disk(directory: Path) -> str:
    """The whole disk ("MAJ:MIN") below a directory, as the kernel throttles no part of one; InjectionError for none."""
    number = os.stat(directory).st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    path = _BLOCKS / device
    if not path.exists():
        msg = f"{directory} is on no disk of its own ({device}), so none can be slowed; set ANOMOD_STATE_DIR to one"
        raise InjectionError(msg)
    if (path / "partition").exists():
        return (path.resolve().parent / "dev").read_text().strip()
    return device


def _original(target: str) -> str:
    return f"disk_throttle {target}"


def _quiet(target: str) -> str:
    """A figure of the quiet disk: no original, so it outlives the recovery."""
    return f"disk_throttle quiet {target}"


OFFERS = (DiskThrottle,)
