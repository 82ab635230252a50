"""Fault memory_pressure: a container is limited to little more memory than it uses, and a program fills the rest."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _limits, _pressure, _programs
from pytest_anomod.faults._parameters import one_of, refuse_target, within
from pytest_anomod.faults._processes import was_killed
from pytest_anomod.model import clock
from pytest_anomod.model.capability import ControlGroup, Lifecycle, Limit, LocalProcess, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_NAME = "pressure"
_PROGRAM = "pytest_anomod.faults.helpers.presser"
_KINDS = (ServiceKind.GATEWAY, ServiceKind.APP)
_LOOK_S = 0.4
_YOUNG_S = 3.0
"""Up to this age a process that was restarted counts as just killed: it takes a while to run out of memory again."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPressure(FaultDefaults):
    """The target's container may use `spare_mb` MiB more than it does now, and a program in it takes them.

    `outcome` "squeeze": nearly all is taken, so that the kernel must free a page whenever one is wanted; the program
    gives way to the target, and is what the kernel would kill. "kill": more is wanted than there is, the kernel kills
    the service (the largest process), its container is started again, and so on.
    """

    name: ClassVar[str] = "memory_pressure"
    level: ClassVar[Level] = Level.PERFORMANCE
    needs: ClassVar[frozenset[type]] = frozenset({ControlGroup, Lifecycle, Programs})
    dial: ClassVar[Dial] = {3: {"outcome": "squeeze"}, 5: {"outcome": "kill"}}

    spare_mb: float = 64
    outcome: str = "squeeze"

    def __post_init__(self) -> None:
        within(self, "spare_mb", 24, 4_096, "MiB")
        one_of(self, "outcome", ("squeeze", "kill"))

    @property
    def also_needs(self) -> frozenset[type]:
        """Who was killed is told by the kernel that the container runs on, which must be this machine's."""
        return frozenset({LocalProcess} if self.outcome == "kill" else ())

    def check(self, system: System, target: str) -> None:
        kind = system.service(target).kind
        if self.outcome == "kill" and kind not in _KINDS:
            refuse_target(self, target, f"it is of kind {kind}, and what a store loses when killed does not come back")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        group = _limits.group_of(deployment, target)
        before = group.memory()
        done = {"pid": instance_of(deployment, target).pid, "used_bytes": before.used_bytes}
        kills = _kills()
        _pressure.press(deployment, target, self.spare_mb, "squeeze" if self.outcome == "squeeze" else "overrun")
        if self.outcome == "squeeze":
            _programs.wait_running(deployment, target, _pressure.NAME)
            return {**done, "limit_bytes": group.memory().limit_bytes}
        deployment.originals.remember(_kills_before(target), kills)
        helper = _programs.start_module(deployment, target, _PROGRAM, _NAME, spare_mb=self.spare_mb)
        return {**done, "helper_pid": helper}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Squeezed: nearly all of the limit is used, and it is hit again and again. Killed: see `_look_for_kills`."""
        if self.outcome == "kill":
            return self._look_for_kills(deployment, target)
        group = deployment.capability(ControlGroup, target)
        original = deployment.originals.recall(_pressure.original(target))
        if group is None or original is None:
            return Observation(active=False, evidence={"limit_bytes": None})
        try:
            limited, before = group.limit(Limit.MEMORY) != original, group.memory()
            clock.sleep(_LOOK_S)
            after = group.memory()
        except DeploymentError:  # the container has ended, and its limit with it
            return Observation(active=False, evidence={"limit_bytes": None})
        full = after.limit_bytes is not None and after.used_bytes > 0.9 * after.limit_bytes
        evidence = {"limit_bytes": after.limit_bytes, "used_bytes": after.used_bytes, "hits": after.hits - before.hits}
        return Observation(
            active=limited and full and after.hits > before.hits, evidence={**evidence, "kills": after.kills}
        )

    def _look_for_kills(self, deployment: Deployment, target: str) -> Observation:
        """Whether the kernel has killed since, by its own count, and the process is gone or was restarted only now."""
        instance, kills = instance_of(deployment, target), _kills()
        since = deployment.originals.recall(_kills_before(target))
        gone, age_s = was_killed(instance, _YOUNG_S)
        killed = None if since is None else kills - since
        evidence = {"state": instance.state, "restarts": instance.restarts, "age_s": age_s, "kills": killed}
        return Observation(active=gone and bool(killed), evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End what fills it, put the limit back; a service that was killed is waited for."""
        _programs.end(deployment, target, _NAME)
        _limits.put_back(deployment, target, _pressure.original(target))
        _programs.end(deployment, target, _pressure.NAME)
        if deployment.originals.recall(_kills_before(target)) is not None:
            need(deployment, Lifecycle, target).start()
            deployment.originals.forget(_kills_before(target))


def _kills() -> int:
    """How often this machine's kernel has killed for want of memory, in whatever group."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _kills_before(target: str) -> str:
    return f"memory_pressure kills {target}"


OFFERS = (MemoryPressure,)
