"""Carries faults out by ChaosBlade's `blade`, where it really can; the fault's probe decides whether it worked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from pytest_anomod.injectors.chaosblade.blade import HOME, Answer, Blade, find_home, lacks, new_uid
from pytest_anomod.injectors.chaosblade.means import Create, means, values
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.errors import InjectionError, ScenarioError
from pytest_anomod.model.fault import Fault, Json, Level, Observation, parameters
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System

RUNTIMES = ("process", "docker")
"""Where a service is a process of this machine with a pid that we know; `blade create cri` is not driven."""
DEADLINE_S = 4 * 7_200.0
"""blade's own time limit: after the longest case there can be. The guardian is there long before."""
_LOOP = "again"
_REPEAT = "pytest_anomod.injectors.chaosblade.helpers.repeat"
_BELATED_S = 1.0


class ChaosBladeInjector:
    """Drives `blade create` and `blade destroy`; the fault's own probe checks both, its recovery restores what is left.

    Two entries are written down before anything is done: blade's uid, and the fault as such.
    """

    name = "chaosblade"

    def __init__(self) -> None:
        self._native = NativeInjector()

    def check(self) -> None:
        """ScenarioError when there is no blade on this machine."""
        if find_home() is None:
            msg = (
                f"injector {self.name!r} needs ChaosBlade: put `blade` on PATH or set {HOME} to its home "
                "(scripts/build_blade.py builds one where Go is)"
            )
            raise ScenarioError(msg)

    def refusal(self, fault: Fault, target: str, system: System, runtime: Runtime) -> str:
        """Why blade can't put this fault into this target truly, on that runtime of this machine; "" when it can.

        What blade forgets the fault itself restores, so it must have what it needs as well.
        """
        return _why_not(fault, runtime.name) or self._native.refusal(fault, target, system, runtime)

    def prepare(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """As the native injector does."""
        self._native.prepare(fault, deployment, target)

    def inject(self, fault: Fault, deployment: Deployment, target: str) -> Json:
        """Have blade put the fault in; InjectionError when it says that it could not and nothing is seen either."""
        if why := _why_not(fault, deployment.runtime):
            msg = f"{fault.name!r} can't be put into {target!r} by ChaosBlade: {why}"
            raise InjectionError(msg)
        if fault.level is Level.NORMAL:
            return {}
        self._native.write_down(fault, deployment, target)
        words = create_words(fault, deployment, target)
        kept = self._write_down(fault, deployment, target)
        blade = Blade.own(Path(kept["home"]), kept["tag"])
        answer = blade.create(words, kept["uid"], timeout_s=backstop_s(words))
        if not answer.success and not _is_seen(fault, deployment, target):
            msg = f"blade create {' '.join(words)}: {answer.error}; and {fault.name!r} is not seen on {target!r}"
            raise InjectionError(msg)
        done = {"uid": kept["uid"], "command": ["blade", "create", *words], "said": _said(answer)}
        if _is_repeated(fault):
            done["helper_pid"] = _repeat(fault, deployment, target, kept)
        return done

    def active(self, fault: Fault, deployment: Deployment, target: str) -> Observation:
        """What the fault's probe sees now; blade is not asked."""
        return fault.active(deployment, target)

    def recover(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Have blade undo it, restore what it does not, and see that the fault is gone; only then is it done."""
        if _is_repeated(fault):
            need(deployment, Programs, target).end(_LOOP)
        kept = deployment.originals.recall(_key(fault, target))
        try:
            if kept is not None:
                self.undo(kept)
        finally:
            self._native.recover(fault, deployment, target)
        if kept is not None:
            deployment.undo.done(kept["entry"])
            deployment.originals.forget(_key(fault, target))

    def undo(self, entry: Mapping[str, Json]) -> None:
        """Undo by the entry alone, in any process and with the deployment dead or alive; idempotent."""
        Blade(Path(entry["home"]), entry["tag"]).end(entry["uid"])

    def _write_down(self, fault: Fault, deployment: Deployment, target: str) -> Mapping[str, Json]:
        """One open entry per fault and target: which creation, in which home."""
        kept = deployment.originals.recall(_key(fault, target))
        if kept is None:
            place = {
                "home": str(deployment.directory / "undo" / "blade"),
                "uid": new_uid(),
                "tag": deployment.ref.get("tag", ""),
            }
            entry = deployment.undo.record({"op": "injector", "injector": self.name, "entry": place})
            kept = {**place, "entry": entry}
            deployment.originals.remember(_key(fault, target), kept)
        return kept


def create_words(fault: Fault, deployment: Deployment, target: str) -> list[str]:
    """The arguments of `blade create` with the figures of now; InjectionError when the target lacks one, as its pid."""
    found = values(fault, deployment, target)
    words = _means(fault).words
    missing = {name for word in words for _, name, _, _ in Formatter().parse(word) if name and not found.get(name)}
    if missing:
        msg = f"{target!r} has no {', '.join(sorted(missing))} on this machine now, so blade can't hit it"
        raise InjectionError(msg)
    return [word.format_map(found) for word in words]


def backstop_s(words: Sequence[str]) -> float | None:
    """blade's own time limit; None where nothing lasts that it could undo."""
    return None if list(words[:2]) == ["process", "kill"] else DEADLINE_S


def _is_seen(fault: Fault, deployment: Deployment, target: str) -> bool:
    """Whether the fault is in although blade said that it failed: some of its failures come after the deed."""
    until = clock.monotonic_s() + _BELATED_S
    while not (seen := bool(fault.active(deployment, target))) and clock.monotonic_s() < until:
        clock.sleep(0.1)
    return seen


def _why_not(fault: Fault, runtime: str) -> str:
    """Why blade can't do a fault on a runtime of this machine; "" when it can."""
    if fault.level is Level.NORMAL:
        return ""
    create = means(fault)
    if isinstance(create, str):
        return create
    if runtime not in RUNTIMES:
        return f"blade is driven on runtime {' and '.join(RUNTIMES)} only, not on {runtime!r}"
    if runtime == "docker" and os.geteuid() != 0:
        return "only root can signal the processes of containers"
    home = find_home()
    return "no blade on this machine" if home is None else lacks(home, create.words[0])


def _means(fault: Fault) -> Create:
    """The means of a fault; InjectionError for one that blade can't do."""
    create = means(fault)
    if isinstance(create, str):
        raise InjectionError(create)
    return create


def _is_repeated(fault: Fault) -> bool:
    create = means(fault)
    return isinstance(create, Create) and create.every_s is not None


def _repeat(fault: Fault, deployment: Deployment, target: str, kept: Mapping[str, Json]) -> int:
    """Start the program that has blade do it again and again."""
    create = _means(fault)
    what = {"fault": fault.name, "parameters": parameters(fault), "ref": dict(deployment.ref), "target": target}
    argv = [sys.executable, "-m", _REPEAT, "--what", json.dumps({**what, **kept})]
    argv += ["--every-s", str(create.every_s), "--away-s", str(create.away_s), "--deadline-s", str(DEADLINE_S)]
    return need(deployment, Programs, target).run(argv, name=_LOOP, deadline_s=DEADLINE_S)


def _said(answer: Answer) -> dict[str, Json]:
    return {"success": answer.success, "code": answer.code, "error": answer.error}


def _key(fault: Fault, target: str) -> str:
    return f"blade {fault.name} {target}"
