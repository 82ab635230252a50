"""Fault kill_service: a service is killed once, or again and again as soon as it is back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _programs
from pytest_anomod.faults._parameters import refuse, refuse_lost_content, within
from pytest_anomod.faults._processes import was_killed
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, Programs
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_NAME = "restarts"
_PROGRAM = "pytest_anomod.faults.helpers.killer"
_START_S = 1.5
"""How long a process may take from its start to its first answer: a second was seen where four share two cores."""
_STARTS, _ANSWER_S = 2.0, 0.3
"""Up to how many times the age of one just killed a process may still be starting, and how long its answer may take."""


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
    holds: ClassVar[str] = "processes"
    needs: ClassVar[frozenset[type]] = frozenset({Lifecycle, Programs})
    dial: ClassVar[Dial] = steps(period_s=(8, 4, 2, 1, 0.25))

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
        return _START_S if self.once else self.period_s + _START_S

    def check(self, system: System, target: str) -> None:
        refuse_lost_content(self, system, target)

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        instance = instance_of(deployment, target)
        done = {"pid": instance.pid, "start_time": instance.start_time}
        if self.once:
            need(deployment, Lifecycle, target).kill()
            return done
        turns = {"period_s": self.period_s, "away_s": self.away_s}
        return {**done, "helper_pid": _programs.start_module(deployment, target, _PROGRAM, _NAME, **turns)}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the process is gone, or was restarted only now; a service that was stopped in order is not killed.

        On a busy machine a process takes longer to begin, and to be killed again: one that is no longer that young and
        gives no answer yet is not back either.
        """
        instance = instance_of(deployment, target)
        killed, age_s = was_killed(instance, self._young_s)
        evidence = {"state": instance.state, "pid": instance.pid, "restarts": instance.restarts, "age_s": age_s}
        if not killed and was_killed(instance, _STARTS * self._young_s)[0]:
            evidence["answers"] = deployment.answers(target, _ANSWER_S)
            killed = not evidence["answers"]
        return Observation(active=killed, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the killing and wait until the service is back for good."""
        _programs.end(deployment, target, _NAME)
        need(deployment, Lifecycle, target).start()
        clock.wait_until(
            lambda: deployment.answers(target) and not self.active(deployment, target),
            timeout_s=10.0 + self._young_s,
            what=f"{target!r} to stay up after it was killed",
        )


OFFERS = (KillService,)
