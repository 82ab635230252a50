"""Fault pause_service: a service's processes are stopped by SIGSTOP; its port takes connections, nothing answers."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_anomod.faults._processes import tree
from pytest_anomod.model import clock
from pytest_anomod.model.capability import LocalProcess
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_LOOK_S = 0.3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PauseService(FaultDefaults):
    """Every process of the target is stopped until recovery; callers wait until their time-outs."""

    name: ClassVar[str] = "pause_service"
    level: ClassVar[Level] = Level.SERVICE
    holds: ClassVar[str] = "processes"
    needs: ClassVar[frozenset[type]] = frozenset({LocalProcess})

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        found = processes(deployment, target)
        if not found:
            msg = f"{target!r} has no process now, so nothing can be held"
            raise InjectionError(msg)
        _signal(found, signal.SIGSTOP)
        found = processes(deployment, target)  # one that was just being started is among them by now
        _signal(found, signal.SIGSTOP)
        return {"pids": [process.pid for process in found]}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether all its processes stand still, and a health request gets no answer.

        A child that had just ended stays a zombie, because its parent is stopped.
        """
        import psutil

        states = {}
        for process in processes(deployment, target):
            with contextlib.suppress(psutil.Error):
                states[process.pid] = process.status()
        held = set(states.values()) - {psutil.STATUS_ZOMBIE} == {psutil.STATUS_STOPPED}
        answers = deployment.answers(target, _LOOK_S)
        return Observation(active=held and not answers, evidence={"states": states, "answers": answers})

    def recover(self, deployment: Deployment, target: str) -> None:
        """Let everything go on, and wait for an answer; a process that was ended meanwhile comes back by itself."""
        _signal(processes(deployment, target), signal.SIGCONT)
        clock.wait_until(lambda: deployment.answers(target), timeout_s=10.0, what=f"{target!r} to answer again")


def processes(deployment: Deployment, target: str) -> list[Any]:
    """The target's process and all below it: a store has children of its own. Empty while there is none."""
    return tree(need(deployment, LocalProcess, target).pid())


def _signal(held: list[Any], number: int) -> None:
    import psutil

    for process in held:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            msg = f"process {process.pid} is another user's, who alone (or root) can hold it; run as that user"
            raise InjectionError(msg) from error


OFFERS = (PauseService,)
