"""Was the baseline normal: served without errors, free of drift, and with requests passing through the target?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.series import outcome_series, requests_per_second
from pytest_anomod.checks.shifts import Shift, as_evidence
from pytest_anomod.checks.spans import is_traced
from pytest_anomod.checks.statistics import compare
from pytest_anomod.checks.tables import table
from pytest_anomod.model.failure import ERROR_STATUS, SERVER_STATUS
from pytest_anomod.model.timeline import Phase, Window
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, needs

ERROR_SHARE = 0.005
"""Requests of a baseline that may fail, but for those that a client is said to be at fault for."""

CLIENT_ERROR_SHARE = 0.02
"""Requests of an open loop's baseline that may fail, whoever is at fault: as many as the gate before it lets through.

A system refuses now and then (a seat that is gone); whether it does so more often later is found by comparing rates. A
suite, whose statuses may change from round to round, is left to the comparison altogether.
"""


@needs("api_responses")
def check_steady(view: CaseView) -> Finding:
    """Errors, drift between the baseline's halves, the gate before it, and the target's own traffic."""
    window = view.timeline.window(Phase.BASELINE)
    if window is None or window.length_s <= 0:
        return _finding(Outcome.BROKEN, "there is no baseline window; see the journal for what came before it", {})
    halves = _halves(view, window)
    drift = compare([*outcome_series(halves)], pace=halves.pace)
    whole = Cut(view=view, before=window, after=window)
    rows = whole.responses[0]
    status = rows["status_code"]
    refused = rows["failed"] & (status >= ERROR_STATUS) & (status < SERVER_STATUS)
    errors, client_errors = int(rows["failed"].sum()), int(refused.sum())
    through = {name: requests_per_second(whole, name) for name in view.scenario.targets if _can_tell(view, name)}
    evidence = {
        "requests": len(rows),
        "errors": errors,
        "client_errors": client_errors,
        "requests_per_second_through_target": round(min(through.values()), 3) if through else None,
        "steady_before": view.journal.steady_before,
        "drift": as_evidence(drift),
    }
    if history := _history(view):
        evidence["history"] = history
    outcome, message = _judge(view, len(rows), (errors, client_errors), through, drift, window)
    return _finding(outcome, message, evidence)


def _judge(
    view: CaseView,
    count: int,
    failed: tuple[int, int],
    through: Mapping[str, float],
    drift: tuple[Shift, ...],
    window: Window,
) -> tuple[Outcome, str]:
    length, (errors, client_errors) = window.length_s, failed
    if not count:
        return Outcome.BROKEN, f"no request was answered in the baseline of {length:.1f} s; is the workload running?"
    idle = [name for name, rate in through.items() if rate == 0]
    if idle and not view.scenario.is_control:
        return Outcome.BROKEN, (
            f"no request passes through {idle[0]} in the baseline of {length:.1f} s ({count} requests in all): "
            "no fault in it could show; aim elsewhere, or add a journey that needs it"
        )
    if view.journal.steady_before is False:
        return Outcome.ABSENT, "the gate before the baseline failed: the system was not steady after warm-up"
    said = f"{errors} of {count} requests of the baseline failed"
    if errors - client_errors > ERROR_SHARE * count:
        return Outcome.ABSENT, f"{said}, {ERROR_SHARE:.1%} may"
    if not view.scenario.workload.closed_loop and errors > CLIENT_ERROR_SHARE * count:
        return Outcome.ABSENT, f"{said}, {client_errors} of them refused, {CLIENT_ERROR_SHARE:.1%} may"
    history = _history(view)
    if history and history["errors"] > CLIENT_ERROR_SHARE * history["requests"]:
        said = f"{history['errors']} of {history['requests']} requests of the history failed"
        return Outcome.ABSENT, f"{said}, {CLIENT_ERROR_SHARE:.1%} may"
    moved = [shift for shift in drift if shift.moved]
    if moved:
        return Outcome.ABSENT, f"the baseline drifts from its first half to its second: {moved[0].sentence()}"
    passing = [
        f"{through[name]:.1f} a second pass through {name}" if name in through
        else f"traces don't tell what passes through {name}"
        for name in view.scenario.targets
    ]  # fmt: skip
    return Outcome.PROVEN, f"{said}, {', '.join(passing)}, no drift"


def _history(view: CaseView) -> dict[str, int]:
    """Requests of the history, and how many failed; {} without a history, and for suites."""
    window = view.timeline.window(Phase.HISTORY)
    if window is None or window.length_s <= 0 or view.scenario.workload.closed_loop:
        return {}
    rows = Cut(view=view, before=window, after=window).responses[0]
    return {"requests": len(rows), "errors": int(rows["failed"].sum())}


def _can_tell(view: CaseView, target: str) -> bool:
    """Whether requests through a service can be counted: users ask it, or all services send spans, or it does."""
    if target in table(view, "api_responses").labels("service_name").names or is_traced(view, target):
        return True
    return "traces" in view.frames and "traces" not in view.may_be_silent


def _halves(view: CaseView, window: Window) -> Cut:
    middle = (window.start_ns + window.end_ns) // 2
    return Cut(
        view=view,
        before=Window(phase=window.phase, start_ns=window.start_ns, end_ns=middle),
        after=Window(phase=window.phase, start_ns=middle, end_ns=window.end_ns),
    )


def _finding(outcome: Outcome, message: str, evidence: Mapping[str, Any]) -> Finding:
    return Finding(check="steady", question="steady", outcome=outcome, message=message, evidence=evidence)
