"""Which source lines of a service ran in one window and not in another: a figure of sets, with chance kept out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.shifts import Shift, set_shift
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView

LINES_LEAST = 5
LOST_SHARE = 0.2
NEW_SHARE = 0.2
"""Shares of the baseline's lines; rare branches (a cache miss) come and go by chance, a fifth of a service does not."""

FUNCTION_SHARE = 0.3
FUNCTION_LINES = 2

Line = tuple[str, int]


def line_shifts(cut: Cut, service: str) -> Iterator[Shift]:
    """Lines of the service lost and new in the second window, and those of the function the fault names."""
    frame = cut.view.frames["coverage"]
    frame = frame[(frame["service_name"] == service) & frame["covered"].astype(bool)]
    usual, ever, during = _windows(cut, frame)
    if not usual:
        return
    yield _line_shift(service, "lines no longer run", usual, usual - during, LINES_LEAST, LOST_SHARE)
    yield _line_shift(service, "lines newly run", usual, during - ever, LINES_LEAST, NEW_SHARE)
    function = _function_at_fault(cut.view)
    if function:
        inside = frame[frame["function"].fillna("").map(lambda name: _same_function(str(name), function))]
        usual, ever, during = _windows(cut, inside)
        if usual:
            subject = f"{service} {function}"
            changed = (usual - during) | (during - ever)
            yield _line_shift(subject, "lines changed", usual, changed, FUNCTION_LINES, FUNCTION_SHARE)


def _windows(cut: Cut, frame: Any) -> tuple[set[Line], set[Line], set[Line]]:
    """Lines run in every healthy window, in any of them, and in the second window of the cut."""
    phases = [Phase.WARMUP, Phase.BASELINE, Phase.RECOVERY]
    present = [_lines(frame, phase) for phase in phases if (frame["phase"] == str(phase)).any()]
    baseline = _lines(frame, Phase.BASELINE)
    usual = set(baseline).intersection(*present) if baseline else set()
    return usual, set().union(*present), _lines(frame, cut.after.phase)


def _lines(frame: Any, phase: Phase) -> set[Line]:
    rows = frame[frame["phase"] == str(phase)]
    return set(zip(rows["file"].astype(str), rows["line"].astype(int), strict=True))


def _line_shift(subject: str, figure: str, usual: set[Line], changed: set[Line], least: int, share: float) -> Shift:
    count = len(changed)
    why_not = ""
    if count < least or count < share * len(usual):
        why_not = f"{count} of {len(usual)} lines, {max(least, share * len(usual)):.0f} are needed"
    return set_shift(subject, figure, 0, count, moved=not why_not, why_not=why_not, unit=f"of {len(usual)}")


def _function_at_fault(view: CaseView) -> str:
    """The function a fault in code names, such as text_service:TextHandler.compose_text; empty for all others."""
    return str(getattr(view.scenario.fault, "function", "") or "")


def _same_function(covered: str, named: str) -> bool:
    qualified = named.rsplit(":", 1)[-1]
    return covered == qualified or covered.endswith("." + qualified)
