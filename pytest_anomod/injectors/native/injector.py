"""Carries faults out by their own methods; how to undo a fault is written down before it is injected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Fault, Json, Observation, lacking, parameters

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Runtime
    from pytest_anomod.model.system import System

_GONE_WITHIN_S = 5.0


class NativeInjector:
    """Calls the fault's own methods; works in any process that has the deployment's ref."""

    name = "native"

    def refusal(self, fault: Fault, target: str, system: System, runtime: Runtime) -> str:
        """Which capabilities the fault needs and the target will not have; "" when it has them all."""
        missing = lacking(fault, lambda needs: runtime.lacks(system, target, needs))
        if not missing:
            return ""
        nobody = missing - runtime.capabilities
        who = f"runtime {runtime.name!r}" if nobody else f"{target!r} on runtime {runtime.name!r}"
        other = "choose another with --anomod-runtime" if nobody else "aim at another service"
        return f"fault {fault.name!r} needs {_names(nobody or missing)}, which {who} does not have; {other}"

    def write_down(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Record how to undo the fault, unless that is on record; InjectionError for what the runtime can't do."""
        _require(fault, deployment, target)
        _record(fault, deployment, target)

    def prepare(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Write down how to undo it, then bring the target into the state the fault supposes."""
        self.write_down(fault, deployment, target)
        fault.prepare(deployment, target)

    def inject(self, fault: Fault, deployment: Deployment, target: str) -> Json:
        """Write down how to undo it, if `prepare` did not, then put the fault in; what was done, as JSON."""
        self.write_down(fault, deployment, target)
        return dict(fault.inject(deployment, target))

    def active(self, fault: Fault, deployment: Deployment, target: str) -> Observation:
        """What the fault's probe sees now."""
        return fault.active(deployment, target)

    def recover(self, fault: Fault, deployment: Deployment, target: str) -> None:
        """Take the fault out and see that it is gone; only then is it done. InjectionError while it is still seen."""
        fault.recover(deployment, target)
        until = clock.monotonic_s() + _GONE_WITHIN_S
        while seen := fault.active(deployment, target):
            if clock.monotonic_s() > until:
                msg = f"fault {fault.name!r} is still seen on {target!r} after its recovery: {dict(seen.evidence)}"
                raise InjectionError(msg)
            clock.sleep(0.1)
        entry = deployment.originals.recall(_key(fault, target))
        if entry is not None:
            deployment.undo.done(entry)
            deployment.originals.forget(_key(fault, target))


def _require(fault: Fault, deployment: Deployment, target: str) -> None:
    missing = lacking(
        fault, lambda needs: frozenset(kind for kind in needs if deployment.capability(kind, target) is None)
    )
    if missing:
        msg = (
            f"fault {fault.name!r} needs {_names(missing)}, which {target!r} does not have on runtime "
            f"{deployment.runtime!r} now"
        )
        raise InjectionError(msg)


def _record(fault: Fault, deployment: Deployment, target: str) -> None:
    """One open undo entry per fault and target, whoever asks."""
    if deployment.originals.recall(_key(fault, target)) is not None:
        return
    entry: Mapping[str, Json] = {
        "op": "fault",
        "fault": {"name": fault.name, "parameters": parameters(fault)},
        "target": target,
        "ref": dict(deployment.ref),
    }
    deployment.originals.remember(_key(fault, target), deployment.undo.record(entry))


def _key(fault: Fault, target: str) -> str:
    return f"undo {fault.name} {target}"


def _names(capabilities: Collection[type]) -> str:
    return ", ".join(sorted(kind.__name__ for kind in capabilities))
