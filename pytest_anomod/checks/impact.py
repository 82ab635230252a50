"""Did users feel the fault: errors, latency, content or throughput at the gateway?"""

from __future__ import annotations

from pytest_anomod.checks.cut import Cut, fault_cut
from pytest_anomod.checks.series import impact_series
from pytest_anomod.checks.shifts import Shift, as_evidence
from pytest_anomod.checks.statistics import compare
from pytest_anomod.checks.symptom import say
from pytest_anomod.checks.tables import kept
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, needs


@needs("api_responses")
def check_impact(view: CaseView) -> Finding:
    """Compare what users saw in the baseline with what they saw in the anomaly window."""
    cut = fault_cut(view)
    if cut is None:
        return Finding(
            check="impact", question="impact", outcome=Outcome.ABSENT,
            message="the case has no baseline and anomaly windows to compare; see mechanism",
        )  # fmt: skip
    shifts = gateway_shifts(cut)
    moved = [shift for shift in shifts if shift.moved]
    before, after = cut.responses
    failed = [int(rows["failed"].sum()) for rows in (before, after)]
    counts = f"{failed[0]} of {len(before)} requests failed before, {failed[1]} of {len(after)} after"
    if moved:
        message = f"users were hit in {len(moved)} of {len(shifts)} figures: {say(moved)}"
    else:
        message = f"none of {len(shifts)} figures at the gateway moved ({counts}); nearest: {say(shifts, 2)}"
    return Finding(
        check="impact", question="impact", outcome=Outcome.PROVEN if moved else Outcome.ABSENT,
        message=message, evidence=as_evidence(shifts),
    )  # fmt: skip


def gateway_shifts(cut: Cut) -> tuple[Shift, ...]:
    """All figures at the gateway, strongest shift first."""
    return kept(cut.view, "gateway shifts", lambda: compare(impact_series(cut), pace=cut.pace))
