"""Fault cpu_contention: a service and busy loops beside it share a small part of every period.

In a container whose control group may be limited, the kernel's CPU quota limits them; elsewhere a program of ours does,
with SIGSTOP and SIGCONT.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _limits, _programs
from pytest_anomod.faults._parameters import refuse, whole, within
from pytest_anomod.faults._processes import tree
from pytest_anomod.host import processes
from pytest_anomod.model import clock
from pytest_anomod.model.capability import ControlGroup, Limit, LocalProcess, Programs
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import need
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_NAME = "load"
_LOOK_S, _STEP_S = 0.4, 0.008


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuContention(FaultDefaults):
    """The target and `burners` busy loops beside it run only `duty_ms` of every `period_ms`.

    Busy loops alone affect other services, and not the target as soon as a core is free. The common budget affects the
    target, and takes little from others. By quota it is `duty_ms` of CPU for all of the container together; by signals
    (no root needed) it is `duty_ms` of time, in which each of them may use a core.
    """

    name: ClassVar[str] = "cpu_contention"
    level: ClassVar[Level] = Level.PERFORMANCE
    needs: ClassVar[frozenset[type]] = frozenset({LocalProcess, Programs})
    instead: ClassVar[frozenset[type]] = frozenset({ControlGroup, Programs})
    dial: ClassVar[Dial] = steps(duty_ms=(70, 40, 20, 10, 4))

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
        process = deployment.capability(LocalProcess, target)
        group = deployment.capability(ControlGroup, target)
        pid = None if process is None else process.pid()
        if pid is None and (process is not None or group is None):
            msg = f"{target!r} has no process now, so it can't be short of CPU"
            raise InjectionError(msg)
        done = {"pid": pid, "budget": self.duty_ms / self.period_ms}
        if group is not None:
            deployment.originals.remember(_original(target), group.limit(Limit.CPU))
            # they start before the quota, under which even that takes long
            helper = _programs.start(deployment, target, "burners", _NAME, burners=self.burners)
            _programs.wait_running(deployment, target, _NAME)
            group.limit_cpu(round(1e3 * self.duty_ms), round(1e3 * self.period_ms))
            return {**done, "helper_pid": helper, "by": "quota"}
        helper = _programs.start(
            deployment,
            target,
            "governor",
            _NAME,
            pid=need(deployment, LocalProcess, target).inner_pid(),
            duty_ms=self.duty_ms,
            period_ms=self.period_ms,
            burners=self.burners,
        )
        return {**done, "helper_pid": helper, "by": "signals"}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the target is held to about its share while the burners burn.

        By quota: the kernel says which there is, and that it had to hold the group. By signals: the process is found
        stopped for about its share of looks. What burners use is looked up where they are processes of this machine.
        """
        helper = _programs.running(deployment, target, _NAME)
        is_local = deployment.capability(LocalProcess, target) is not None
        burnt_s = _tree_cpu_s(helper) if is_local else 0.0
        group = deployment.capability(ControlGroup, target)
        expected = self.duty_ms / self.period_ms
        if group is None:
            held, evidence = self._look_at_process(need(deployment, LocalProcess, target).pid(), 1 - expected)
        else:
            held, evidence = self._look_at_group(group, expected)
        if not is_local:
            return Observation(active=held and helper is not None, evidence={**evidence, "burners_run": bool(helper)})
        burnt_s = _tree_cpu_s(helper) - burnt_s
        return Observation(active=held and burnt_s > 0, evidence={**evidence, "burner_cpu_s": round(burnt_s, 3)})

    def _look_at_process(self, pid: int | None, expected: float) -> tuple[bool, dict[str, Json]]:
        import psutil

        looks = stopped = 0
        until = clock.monotonic_s() + _LOOK_S
        while pid is not None and clock.monotonic_s() < until:
            with contextlib.suppress(psutil.Error):
                stopped += psutil.Process(pid).status() == psutil.STATUS_STOPPED
                looks += 1
            clock.sleep(_STEP_S)
        share = stopped / looks if looks else 0.0
        held = abs(share - expected) <= max(0.15, 0.35 * expected) and stopped > 0
        return held, {"stopped_share": round(share, 3), "expected_share": expected}

    def _look_at_group(self, group: ControlGroup, expected: float) -> tuple[bool, dict[str, Json]]:
        try:
            share, before = group.cpu_share(), group.cpu()
            if share is None:
                return False, {"quota_cores": None}
            clock.sleep(max(_LOOK_S, 2.5e-3 * self.period_ms))
            after = group.cpu()
        except DeploymentError:  # the container has ended, and its quota with it
            return False, {"quota_cores": None}
        held = after.throttled > before.throttled and abs(share - expected) < 0.05 * expected
        figures = {"throttled_s": round(after.throttled_s - before.throttled_s, 3)}
        counts = {"periods": after.periods - before.periods, "throttled": after.throttled - before.throttled}
        return held, {"quota_cores": share, "expected_cores": expected, **counts, **figures}

    def recover(self, deployment: Deployment, target: str) -> None:
        """Lift the quota, end what burns and holds, then let everything go on: a killed governor leaves it stopped."""
        import psutil

        _limits.put_back(deployment, target, _original(target))
        _programs.end(deployment, target, _NAME)
        local = deployment.capability(LocalProcess, target)
        for process in tree(None if local is None else local.pid()):
            with contextlib.suppress(psutil.Error):
                process.resume()


def _original(target: str) -> str:
    return f"cpu_contention quota {target}"


def _tree_cpu_s(pid: int | None) -> float:
    """CPU seconds of what a helper started, finer than the clock ticks of /proc/PID/stat; 0 when it isn't there.

    In a look of 0.4 s burners that may run 2 ms of 100 have run for less than a tick.
    """
    import psutil

    total = 0.0
    for child in tree(pid)[1:]:
        with contextlib.suppress(psutil.Error):
            exact_s = processes.cpu_s(child.pid)
            total += sum(child.cpu_times()[:2]) if exact_s is None else exact_s
    return total


OFFERS = (CpuContention,)
