"""Makes the label of a judged case."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.model import clock
from pytest_anomod.model import journal as names
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.label import Label, RootCause
from pytest_anomod.model.propagation import Propagation
from pytest_anomod.model.scenario import Scenario
from pytest_anomod.model.standing import split_of, unusable_because
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, Verdict


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a case was made: by which runtime and injector, which attempt it is, and which case it replaces."""

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
    scenario, control = view.scenario, view.scenario.is_control
    done = [_done(one) for one in view.each]
    held = [ratio for one in view.each if (ratio := _held(one)) is not None]

    def start_of(phase: Phase) -> int | None:
        return None if control else _start_of(view, phase)

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
        **_root_cause(scenario, done[0]),
        inject_start_unix_nano=start_of(Phase.ONSET),
        seen_unix_nano=start_of(Phase.ANOMALY),
        recover_start_unix_nano=start_of(Phase.RELEASE),
        gone_unix_nano=start_of(Phase.RECOVERY),
        steady_again_unix_nano=None if control else steady_again_ns,
        # there was no probe: not seen is not the same as not held
        held_ratio=None if control or _unasked(findings) else min(held, default=None),
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
        split=_split(scenario),
        root_cause_services=() if control else scenario.targets,
        root_causes=_root_causes(view, done, spread) if scenario.further else None,
        in_turn=scenario.in_turn if scenario.further else None,
    )


def _split(scenario: Scenario) -> str:
    """By faults and targets; of a control by its seed, which its name and the repetition make."""
    if scenario.is_control:
        return split_of(scenario.system, [], str(scenario.seed))
    return split_of(scenario.system, [(one.fault.name, one.target) for one in scenario.injections])


def _root_causes(
    view: CaseView, done: Sequence[Mapping[str, Any]], spread: Propagation | None
) -> tuple[RootCause, ...]:
    """What the label of a compound case says of each fault."""
    spreads: Sequence[Propagation | None] = (spread, *spread.further) if spread else [None] * len(view.each)
    return tuple(
        RootCause(
            fault=one.scenario.fault.name,
            parameters=parameters(one.scenario.fault),
            severity=one.scenario.severity,
            level=str(one.scenario.level),
            **_root_cause(one.scenario, what),
            inject_start_unix_nano=_begin(one, names.INJECT),
            seen_unix_nano=_end(one, names.SEEN),
            recover_start_unix_nano=_begin(one, names.RECOVER),
            gone_unix_nano=_end(one, names.GONE),
            held_ratio=_held(one),
            fault_edges=_edges(way) if way else (),
            propagation_path=way.path if way else (),
        )
        for one, what, way in zip(view.each, done, spreads, strict=True)
    )


def _start_of(view: CaseView, phase: Phase) -> int | None:
    window = view.timeline.window(phase)
    return None if window is None else window.start_ns


def _begin(view: CaseView, name: str) -> int | None:
    activity = view.journal.activity(name)
    return None if activity is None else activity.start_ns


def _end(view: CaseView, name: str) -> int | None:
    activity = view.journal.activity(name)
    return activity.end_ns if activity is not None and activity.succeeded else None


def _done(view: CaseView) -> Mapping[str, Any]:
    """What the injector returned."""
    inject = view.journal.activity(names.INJECT)
    return inject.output if inject is not None and isinstance(inject.output, Mapping) else {}


def _held(view: CaseView) -> float | None:
    hold = view.journal.activity(names.HOLD)
    return hold.output.get("held_ratio") if hold is not None and isinstance(hold.output, Mapping) else None


def _edges(spread: Propagation) -> tuple[str, ...]:
    return tuple(f"{caller}->{callee}" for caller, callee in spread.fault_edges)


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
    """The label's fields on how the fault spread: the way of the first, and all services that any came to."""
    if spread is None:
        return {}
    return {
        "fault_edges": _edges(spread),
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
