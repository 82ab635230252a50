"""A service that is killed: once, or again and again as soon as it is back."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._chaos_mesh import resource
from pytest_anomod.faults._parameters import refuse, refuse_target, within
from pytest_anomod.faults._processes import seconds_old
from pytest_anomod.faults._programs import DEADLINE_S
from pytest_anomod.model import clock
from pytest_anomod.model.fault import Ability, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_NAME = "restarts"
_PROGRAM = "pytest_anomod.faults.helpers.killer"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KillService(FaultDefaults):
    """SIGKILL to the target's process every `period_s` seconds if there is one, or just `once`.

    The deployment's restart policy brings it back each time, so a single kill is over within a second or so; the loop
    makes it an outage with short lives in between, as a process that crashes at its first request would. For
    `away_s` seconds of each period every return is killed at once, as if starting took so long: a pod has to be
    scheduled, to start and to become ready first.
    """

    name: ClassVar[str] = "kill_service"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.EXEC, Ability.LIFECYCLE})

    period_s: float = 0.25
    away_s: float = 0
    once: bool = False

    def __post_init__(self) -> None:
        within(self, "period_s", 0.1, 60, "s")
        within(self, "away_s", 0, 60, "s")
        if self.away_s and (self.once or self.away_s >= self.period_s):
            refuse(self, "away_s", f"must be below period_s={self.period_s:g}, and 0 for a single kill")

    @property
    def _young_s(self) -> float:
        """Up to this age a process that was restarted counts as just killed."""
        return 1.5 if self.once else self.period_s + 0.75

    def check(self, system: System, target: str) -> None:
        if system.service(target).kind is ServiceKind.CACHE:
            refuse_target(self, target, "a cache comes back empty, and recovery could not bring its content back")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        victim = deployment.instance(target)
        done = {"pid": victim.pid, "start_time": victim.start_time}
        if self.once:
            deployment.kill(target)
            return done
        argv = [sys.executable, "-m", _PROGRAM, "--ref", json.dumps(dict(deployment.ref)), "--service", target]
        argv += ["--period-s", str(self.period_s)]
        argv += ["--away-s", str(self.away_s), "--deadline-s", str(DEADLINE_S)]
        return {**done, "helper_pid": deployment.exec(target, argv, name=_NAME, deadline_s=DEADLINE_S)}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the process is gone, or was restarted only now; a service that was stopped in order is not killed."""
        instance = deployment.instance(target)
        age_s = seconds_old(instance.pid)
        fresh = age_s is not None and instance.restarts > 0 and age_s < self._young_s
        evidence = {"state": instance.state, "pid": instance.pid, "restarts": instance.restarts, "age_s": age_s}
        return Observation(active=instance.state != "stopped" and (age_s is None or fresh), evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the killing and wait until the service is back for good."""
        deployment.end(target, _NAME)
        deployment.start(target)
        clock.wait_until(
            lambda: deployment.answers(target) and not self.active(deployment, target),
            timeout_s=10.0 + self._young_s,
            what=f"{target!r} to stay up after it was killed",
        )

    def blade(self, target: str) -> Mapping[str, Json]:
        """One kill of the very process; ChaosBlade has no loop, so whoever drives it kills again `every_s`."""
        args = ["cri", "process", "kill", "--process", ".", "--signal", "9", "--container-name", target]
        host = ["process", "kill", "--pid", "{pid}", "--signal", "9"]
        if self.once:
            return {"args": args, "host": host}
        return {"host": host, "every_s": self.period_s, "away_s": self.away_s}

    def chaos_mesh(self, target: str) -> Mapping[str, Json]:
        """One kill, or for the loop a pod that fails for as long as the fault lasts."""
        return resource("PodChaos", target, action="pod-kill" if self.once else "pod-failure")


OFFERS = (KillService,)
