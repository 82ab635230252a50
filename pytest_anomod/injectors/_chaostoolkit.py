"""Carries out experiments of files: chaoslib plays them in a separate process that waits at edges of windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.faults._experiment import Experiment
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Fault, Json, Observation
from pytest_anomod.safety.experiments import Played, Undoing

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System

LOOK_S = 0.3
BEGUN_S = 1.0
"""So long after its first action began, an experiment that nobody has seen yet is taken to be in force."""
METHOD_S = 600.0
"""How long a method may go on once its window is over; then it is interrupted, as by Ctrl-C."""


@dataclasses.dataclass(slots=True, kw_only=True)
class _Going:
    """An experiment under way: its process, what ran in the target before, and how far it is."""

    played: Played
    before: dict[str, float | None]
    is_begun: bool = False
    was_seen: bool = False
    is_released: bool = False


class ChaosToolkitInjector:
    """Plays experiments that were offered by `offer`, one at a time in a process."""

    name = "chaostoolkit"

    def __init__(self) -> None:
        self._specs: dict[str, Mapping[str, Json]] = {}
        self._going: dict[str, _Going] = {}
        self.results: dict[str, dict[str, Any]] = {}
        """What became of each experiment that has ended, by its file."""

    def offer(self, file: str, spec: Mapping[str, Json]) -> None:
        """Have the experiment of a file at hand, as its player needs it."""
        self._specs[file] = spec
        self.results.pop(file, None)

    def refusal(self, fault: Fault, target: str, system: System, runtime: Runtime) -> str:
        """Refuse all faults except experiments of files."""
        return "" if isinstance(fault, Experiment) else "it plays experiments of files, and puts in no fault of ours"

    def prepare(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Have its hypothesis played; InjectionError when that does not hold, or when it can't be played at all."""
        file = _file(fault)
        if file not in self._specs:
            msg = f"nobody has offered the experiment of {file} in this process; name it on the command line of pytest"
            raise InjectionError(msg)
        undoing = Undoing(deployment.undo.record, deployment.undo.done)
        played = Played(deployment.directory, self._specs[file], undoing)
        self._going[file] = _Going(played=played, before=_running(deployment, target))
        played.wait("method", "rollbacks", "rolled_back")
        if "method" not in played.at:
            msg = f"the method of {file} is not played: its hypothesis does not hold before, or it is not valid"
            raise InjectionError(msg)

    def inject(self, fault: Fault, deployment: Deployment, target: str) -> Json:
        """Begin the method, and wait until it is seen, is over, or its first action has begun a while ago."""
        going = self._of(fault)
        going.is_begun = True
        going.played.go()
        begun_s = None
        while not going.played.wait("method_completed", "rollbacks", timeout_s=LOOK_S):
            if self.active(fault, deployment, target):
                break
            if "action" in going.played.at:
                begun_s = begun_s or clock.monotonic_s()
                if clock.monotonic_s() - begun_s >= BEGUN_S:
                    break
        return {"file": _file(fault), "method_is_over": "method_completed" in going.played.at}

    def active(self, fault: Fault, deployment: Deployment, target: str) -> Observation:
        """Whether it is seen now. A restart and a deviation are events: once seen, they count until the rollbacks."""
        going = self._of(fault)
        assert isinstance(fault, Experiment)
        looked = _look(fault, going, deployment, target)
        going.was_seen = going.was_seen or looked.active
        is_event = fault.seen_by in ("restarted", "hypothesis") and not going.is_released
        if is_event and going.was_seen and not looked.active:
            return Observation(active=True, evidence={**looked.evidence, "seen_before": True})
        return looked

    def blind(self, fault: Fault) -> str:
        """Why the fault may be in although no probe sees it; "" when a probe would have seen it."""
        assert isinstance(fault, Experiment)
        if fault.seen_by == "hypothesis":
            return "its hypothesis held all the while, and nothing else in the file or of ours can see what it does"
        return "" if fault.seen_by else "it has no hypothesis, and nothing in the file or of ours can see what it does"

    def recover(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Have the rollbacks played; the second time the experiment is let go to its end."""
        file = _file(fault)
        going = self._going.get(file)
        if going is None:
            return
        if "method" in going.played.at and not going.is_begun:
            going.played.abandon()  # it waits to begin its method: nothing was done
            self.results[file] = {"error": "its method was never begun", "journal": None}
            del self._going[file]
            return
        if going.is_released:
            going.played.go()
            self.results[file] = going.played.ended()
            del self._going[file]
            return
        going.is_released = True
        going.played.go()
        if not going.played.wait("rolled_back", timeout_s=METHOD_S):
            going.played.interrupt()
            if not going.played.wait("rolled_back", timeout_s=METHOD_S / 10):
                said = going.played.abandon()
                self.results[file] = {
                    "error": "its method did not end; " + "; ".join(said),
                    "journal": None,
                    "began": True,
                }
                del self._going[file]

    def _of(self, fault: Fault) -> _Going:
        going = self._going.get(_file(fault))
        if going is None:
            msg = f"the experiment of {_file(fault)} is not under way in this process"
            raise InjectionError(msg)
        return going


def _file(fault: Fault) -> str:
    assert isinstance(fault, Experiment), fault
    return fault.file


def _look(fault: Experiment, going: _Going, deployment: Deployment, target: str) -> Observation:
    """What the probe sees; once the rollbacks are played, at least whether the target answers."""
    how = fault.seen_by
    if how == "hypothesis" or how.startswith("probe:"):
        answer = going.played.look(how.removeprefix("probe:") if how != "hypothesis" else "")
        return Observation(active=answer["active"], evidence={**answer["evidence"], **_errors(answer)})
    answers = deployment.answers(target)
    if how == "restarted" and not going.is_released:
        now = _running(deployment, target)
        return Observation(active=now != going.before, evidence={"before": list(going.before), "now": list(now)})
    if how or going.is_released:
        return Observation(active=not answers, evidence={"answers": answers})
    return Observation(active=False, evidence={})


def _errors(answer: Mapping[str, Any]) -> dict[str, Json]:
    return {"error": answer["error"]} if "error" in answer else {}


def _running(deployment: Deployment, target: str) -> dict[str, float | None]:
    """The instances of the target that run, with the start times of their processes."""
    return {one.instance_id: one.start_time for one in deployment.instances(target) if one.state == "running"}


OFFER = ChaosToolkitInjector()
