"""A service that competes for a small share of CPU: held, with a busy neighbour of its own, to part of every period."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _programs
from pytest_anomod.faults._parameters import refuse, whole, within
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Ability, FaultDefaults, Json, Level, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_NAME = "load"
_LOOK_S, _STEP_S = 0.4, 0.008


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuContention(FaultDefaults):
    """The target and `burners` busy loops beside it run only `duty_ms` of every `period_ms`.

    Busy loops alone hurt neighbours, and not the target as soon as a core is free. The common budget (a CPU quota by
    SIGSTOP and SIGCONT, no root needed) hurts the target, and takes duty/period of a core per burner from others.
    """

    name: ClassVar[str] = "cpu_contention"
    level: ClassVar[Level] = Level.PERFORMANCE
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.EXEC})

    duty_ms: float = 20
    period_ms: float = 100
    burners: int = 1

    def __post_init__(self) -> None:
        within(self, "period_ms", 20, 1_000, "ms")
        within(self, "duty_ms", 2, 900, "ms")
        whole(self, "burners", 1, 8, "busy loops")
        if self.duty_ms > 0.9 * self.period_ms:
            refuse(self, "duty_ms", f"must be at most 90 % of period_ms={self.period_ms:g}: more is no contention")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        pid = deployment.instance(target).pid
        if pid is None:
            msg = f"{target!r} has no process now, so it can't be short of CPU"
            raise InjectionError(msg)
        helper = _programs.start(
            deployment,
            target,
            "governor",
            _NAME,
            pid=deployment.pid_inside(target),
            duty_ms=self.duty_ms,
            period_ms=self.period_ms,
            burners=self.burners,
        )
        return {"pid": pid, "helper_pid": helper, "budget": self.duty_ms / self.period_ms}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the process is found stopped for about its share of looks while the burners burn."""
        import psutil

        pid, helper = deployment.instance(target).pid, deployment.executed(target).get(_NAME)
        burnt_s = _tree_cpu_s(helper)
        looks = stopped = 0
        until = clock.monotonic_s() + _LOOK_S
        while pid is not None and clock.monotonic_s() < until:
            with contextlib.suppress(psutil.Error):
                stopped += psutil.Process(pid).status() == psutil.STATUS_STOPPED
                looks += 1
            clock.sleep(_STEP_S)
        share, burnt_s = stopped / looks if looks else 0.0, _tree_cpu_s(helper) - burnt_s
        expected = 1 - self.duty_ms / self.period_ms
        held = abs(share - expected) <= max(0.15, 0.35 * expected) and stopped > 0
        evidence = {"stopped_share": round(share, 3), "expected_share": expected, "burner_cpu_s": round(burnt_s, 3)}
        return Observation(active=held and burnt_s > 0, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """End the governor, then let everything of the target go on: a killed governor may have left it stopped."""
        import psutil

        deployment.end(target, _NAME)
        pid = deployment.instance(target).pid
        if pid is None:
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    os.kill(member.pid, signal.SIGCONT)

    def blade(self, target: str) -> Mapping[str, Json]:
        """Bites only where the container has a CPU limit: that is the budget the target then shares."""
        count = str(self.burners)
        return {
            "args": ["cri", "cpu", "fullload", "--cpu-count", count, "--container-name", target],
            "refusal": "blade's cpu load fills the cores of this whole machine and puts no limit on the target",
        }

    def chaos_mesh(self, target: str) -> Mapping[str, Json]:
        return {
            "kind": "StressChaos",
            "spec": {
                "mode": "all",
                "selector": {"labelSelectors": {"app": target}},
                "stressors": {"cpu": {"workers": self.burners, "load": 100}},
            },
        }


def _tree_cpu_s(pid: int | None) -> float:
    """CPU seconds of what a helper started; 0 when it isn't there."""
    import psutil

    if pid is None:
        return 0.0
    total = 0.0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += sum(child.cpu_times()[:2])
    return total


OFFERS = (CpuContention,)
