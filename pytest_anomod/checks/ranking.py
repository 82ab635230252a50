"""What moved most in a case, over all services and the gateway: for the report, not for the verdict."""

from __future__ import annotations

from typing import Any

from pytest_anomod.checks.cut import fault_cut
from pytest_anomod.checks.impact import gateway_shifts
from pytest_anomod.checks.lines import line_shifts
from pytest_anomod.checks.symptom import everywhere
from pytest_anomod.model.verdict import CaseView

MOST = 40


def top_shifts(view: CaseView, *, most: int = MOST) -> list[dict[str, Any]]:
    """The strongest shifts between baseline and anomaly (or control) as flat rows; empty without both windows."""
    cut = fault_cut(view)
    if cut is None:
        return []
    lines = [shift for service in view.system.services for shift in line_shifts(cut, service.name)]
    shifts = sorted([*gateway_shifts(cut), *everywhere(cut), *lines], key=lambda shift: -shift.strength)
    return [
        {
            "subject": shift.subject,
            "figure": shift.figure,
            "unit": shift.unit,
            "before": shift.before,
            "after": shift.after,
            "ratio": shift.ratio,
            "delta": shift.delta,
            "p": shift.p_corrected,
            "moved": shift.moved,
            "why_not": shift.why_not,
        }
        for shift in shifts[:most]
        if shift.strength > 0
    ]
