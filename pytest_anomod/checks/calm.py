"""Was the machine calm enough for a true measurement, in the baseline and in the recovery?"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_anomod.model import journal as names
from pytest_anomod.model.fault import Json
from pytest_anomod.model.verdict import CaseView, Finding, Outcome


def check_calm(view: CaseView) -> Finding:
    """What the windows said of the machine; a window that was never reached says nothing."""
    journal = view.journal
    baseline, recovery = _said(view, names.BASELINE), _said(view, names.RECOVERY)
    evidence: dict[str, Json] = {
        "baseline": baseline.get("pressure"),
        "recovery": recovery.get("pressure"),
        "extended": list(journal.extended),
    }
    if journal.too_busy:
        return _finding(Outcome.ABSENT, journal.too_busy, evidence)
    if recovery.get("too_busy"):
        return _finding(Outcome.ABSENT, f"too busy during the recovery: {recovery['pressure']}", evidence)
    if not baseline.get("pressure"):
        return _finding(Outcome.PROVEN, "nobody looked at the machine during this case", evidence)
    return _finding(Outcome.PROVEN, f"in the baseline {baseline['pressure']}", evidence)


def _said(view: CaseView, name: str) -> Mapping[str, Json]:
    activity = view.journal.activity(name)
    return activity.output if activity is not None and isinstance(activity.output, Mapping) else {}


def _finding(outcome: Outcome, message: str, evidence: Mapping[str, Json]) -> Finding:
    return Finding(check="calm", question="calm", outcome=outcome, message=message, evidence=evidence)
