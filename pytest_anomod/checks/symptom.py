"""Did the target itself show the fault: its spans, its callers' calls, its logs, metrics and executed lines?"""

from __future__ import annotations

from pytest_anomod.checks.cut import Cut, fault_cut
from pytest_anomod.checks.gauges import gauge_series, instance_shifts, setting_shifts
from pytest_anomod.checks.lines import line_shifts
from pytest_anomod.checks.series import answer_series, caller_series, log_series, server_series, size_series
from pytest_anomod.checks.shifts import Shift, as_evidence
from pytest_anomod.checks.spans import is_called_in_traces, is_traced
from pytest_anomod.checks.statistics import compare
from pytest_anomod.checks.tables import kept, table
from pytest_anomod.model.fault import IN
from pytest_anomod.model.verdict import CaseView, Finding, Outcome


def check_symptom(view: CaseView) -> Finding:
    """Compare every figure of the target between baseline and anomaly; for a control, of every service."""
    cut = fault_cut(view)
    if cut is None:
        return Finding(
            check="symptom", question="symptom", outcome=Outcome.ABSENT,
            message="the case has no baseline and anomaly windows to compare; see mechanism",
        )  # fmt: skip
    shifts = everywhere(cut) if view.scenario.is_control else target_shifts(cut)
    moved = [shift for shift in shifts if shift.moved]
    where = "any service" if view.scenario.is_control else view.scenario.target
    outcome = Outcome.PROVEN if moved else Outcome.ABSENT
    if moved:
        message = f"{len(moved)} of {len(shifts)} figures of {where} moved: {say(moved)}"
    else:
        message = f"none of {len(shifts)} figures of {where} moved; nearest: {say(shifts, 2)}"
        if unseen := _unseen(view):
            outcome, message = Outcome.NOT_ASKED, f"{unseen}; {message}"
    return Finding(check="symptom", question="symptom", outcome=outcome, message=message, evidence=as_evidence(shifts))


def _unseen(view: CaseView) -> str:
    """Why figures that did not move leave it open whether the target showed the fault; "" when they don't.

    Only traces say how fast it answers, and what (and the gateway, if users call it directly). Only the spans of its
    callers show a fault on the way to it.
    """
    target = view.scenario.target
    if view.scenario.is_control:
        return ""
    if not is_traced(view, target):
        return f"no span is of {target} or of a call to it, so how it answered can't be asked"
    users_ask = target in table(view, "api_responses").labels("service_name").names
    if view.scenario.fault.edges == IN and not users_ask and not is_called_in_traces(view, target):
        return f"no call to {target} is traced, so what its callers saw of it can't be asked"
    return ""


def target_shifts(cut: Cut) -> tuple[Shift, ...]:
    """All figures of the target, strongest shift first."""
    target = cut.view.scenario.target
    series = [
        *server_series(cut, target),
        *caller_series(cut, target),
        *log_series(cut, target),
        *gauge_series(cut, target),
        *answer_series(cut, target),
        # only a fault in code changes answers and nothing else; sizes grow in healthy services too
        *(size_series(cut, target) if getattr(cut.view.scenario.fault, "function", "") else ()),
    ]
    tested = compare(series, pace=cut.pace)
    sets = [*instance_shifts(cut, target), *setting_shifts(cut, target), *line_shifts(cut, target)]
    return tuple(sorted([*tested, *sets], key=lambda shift: -shift.strength))


def everywhere(cut: Cut) -> tuple[Shift, ...]:
    """The main figures of every service, strongest shift first."""
    return kept(cut.view, "everywhere", lambda: _everywhere(cut))


def _everywhere(cut: Cut) -> tuple[Shift, ...]:
    series, sets = [], []
    for service in cut.view.system.services:
        series += [*server_series(cut, service.name, each=False), *caller_series(cut, service.name)]
        series += [*gauge_series(cut, service.name), *log_series(cut, service.name)]
        sets += [*instance_shifts(cut, service.name), *setting_shifts(cut, service.name)]
    return tuple(sorted([*compare(series, pace=cut.pace), *sets], key=lambda shift: -shift.strength))


def say(shifts: tuple[Shift, ...] | list[Shift], most: int = 3) -> str:
    """The strongest shifts as one phrase."""
    return "; ".join(shift.sentence() for shift in shifts[:most]) or "there was nothing to compare"
