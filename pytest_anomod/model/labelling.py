"""From a judged case to its label."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model import journal as names
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.label import Label
from pytest_anomod.model.propagation import Propagation
from pytest_anomod.model.scenario import Scenario
from pytest_anomod.model.standing import split_of, unusable_because
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, Verdict


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a case came about: on which runtime, by whose hand, as which attempt, in the place of which case."""

    runtime: str
    injector: str
    attempt: int = 1
    replaces: str | None = None


def make_label(
    view: CaseView,
    verdict: Verdict,
    findings: Sequence[Finding],
    steady_again_ns: int | None,
    made: Provenance,
    spread: Propagation | None = None,
) -> Label:
    """The label of a case that was judged; `spread` is how its fault spread, None where nobody looked."""
    scenario, journal = view.scenario, view.journal
    inject, hold = journal.activity(names.INJECT), journal.activity(names.HOLD)
    done = inject.output if inject is not None and isinstance(inject.output, Mapping) else {}
    held = hold.output.get("held_ratio") if hold is not None and isinstance(hold.output, Mapping) else None
    control = scenario.is_control

    def start_of(phase: Phase) -> int | None:
        window = view.timeline.window(phase)
        return window.start_ns if window is not None and not control else None

    return Label(
        case_id=view.case_id,
        scenario=scenario.name,
        system=scenario.system,
        runtime=made.runtime,
        injector=made.injector,
        level=str(scenario.level),
        fault=scenario.fault.name,
        parameters=parameters(scenario.fault),
        target=scenario.target,
        **_root_cause(scenario, done),
        inject_start_unix_nano=start_of(Phase.ONSET),
        seen_unix_nano=start_of(Phase.ANOMALY),
        recover_start_unix_nano=start_of(Phase.RELEASE),
        gone_unix_nano=start_of(Phase.RECOVERY),
        steady_again_unix_nano=None if control else steady_again_ns,
        # nobody could look: not seen is not the same as not held
        held_ratio=None if control or _unasked(findings) else held,
        seed=scenario.seed,
        rate_rps=float(scenario.workload.rate_rps or 0),
        target_rps=_through_target(findings),
        workload=scenario.workload.title,
        versions=_versions(),
        verdict=str(verdict),
        expects=scenario.expects,
        attempt=made.attempt,
        replaces=made.replaces,
        absent=dict(view.absent),
        severity=scenario.severity,
        **_spread(spread),
        usable=not unusable_because(verdict),
        unusable_because=unusable_because(verdict),
        suite=_suite(view),
        split=split_of(scenario.system, scenario.fault.name, "" if control else scenario.target, scenario.seed),
    )


def _suite(view: CaseView) -> Mapping[str, Any]:
    """What was chosen of a suite, by the answer of the activity that began it."""
    for activity in view.journal.before:
        if activity.name == names.WARM_UP and isinstance(activity.output, Mapping) and activity.output.get("suite"):
            return dict(activity.output["suite"])
    return {}


def _unasked(findings: Sequence[Finding]) -> bool:
    return any(one.question == "mechanism" and one.outcome is Outcome.NOT_ASKED for one in findings)


def _root_cause(scenario: Scenario, done: Mapping[str, Any]) -> dict[str, Any]:
    """The label's fields on where the root cause lies: in a function, on calls between services, or in a service."""
    code = done.get("location") or {}
    kind = "code" if code else "edge" if getattr(scenario.fault, "edges", "") else "service"
    return {
        "root_cause_service": None if scenario.is_control else scenario.target,
        "root_cause_instances": tuple(done.get("instances") or ()),
        **{f"root_cause_code_{name}": code.get(name) for name in ("file", "function", "first_line", "last_line")},
        "root_cause_kind": None if scenario.is_control else kind,
    }


def _spread(spread: Propagation | None) -> dict[str, Any]:
    """The label's fields on how the fault spread."""
    if spread is None:
        return {}
    return {
        "fault_edges": tuple(f"{caller}->{callee}" for caller, callee in spread.fault_edges),
        "propagation_path": spread.path,
        "propagation_edges": tuple(f"{hop.cause}->{hop.service}" for hop in spread.proven if hop.cause is not None),
        "reaches_user": None if spread.reaches_user is None else str(spread.reaches_user),
        "affected_services": spread.affected,
        "unknown_services": spread.unknown,
    }


def _through_target(findings: Sequence[Finding]) -> float | None:
    """What the check of the baseline counted; None when it never came to that."""
    for finding in findings:
        counted = finding.evidence.get("requests_per_second_through_target")
        if counted is not None:
            return float(counted)
    return None


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("pytest-anomod", "chaostoolkit-lib", "pytest", "pyarrow", "pandas", "scipy")
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "written": clock.ns_to_iso(clock.now_ns())[:19] + "Z",
        **{package: version(package) for package in packages},
    }
