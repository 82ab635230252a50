"""Compares the source lines of a service that ran in two windows, without those that vary by chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_anomod.checks.cut import Cut
from pytest_anomod.checks.shifts import Shift, set_shift
from pytest_anomod.checks.tables import Rows, combined, kept, table
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView

LINES_LEAST = 5
LOST_SHARE = 0.2
NEW_SHARE = 0.2
"""Shares of the baseline's lines; rare branches (a cache miss) come and go by chance, a fifth of a service does not."""

FUNCTION_SHARE = 0.3
FUNCTION_LINES = 2

HEALTHY = (Phase.WARMUP, Phase.HISTORY, Phase.BASELINE, Phase.RECOVERY)


def line_shifts(cut: Cut, service: str) -> Iterator[Shift]:
    """Lines of the service lost and new in the second window, and those of the function the fault names."""
    rows = _covered(cut.view).get(service)
    if rows is None:
        return
    usual, ever, during = _windows(cut, rows)
    if not usual:
        return
    yield _line_shift(service, "lines no longer run", usual, usual - during, LINES_LEAST, LOST_SHARE)
    yield _line_shift(service, "lines newly run", usual, during - ever, LINES_LEAST, NEW_SHARE)
    function = _function_at_fault(cut.view)
    if function:
        names = rows.table.labels("function").names
        inside = rows.table.labels("function").among([name for name in names if _same_function(name, function)])
        usual, ever, during = _windows(cut, rows.where(inside[rows.at]))
        if usual:
            subject = f"{service} {function}"
            changed = (usual - during) | (during - ever)
            yield _line_shift(subject, "lines changed", usual, changed, FUNCTION_LINES, FUNCTION_SHARE)


def _covered(view: CaseView) -> Mapping[str, Rows]:
    """The rows of lines that were run by service, with `place`: a number for each line of each file."""

    def read() -> dict[str, Rows]:
        rows = table(view, "coverage")
        rows.put("place", combined(rows.labels("file").codes, rows["line"]))
        return rows.all.where(rows["covered"].astype(bool)).split("service_name")

    return kept(view, "covered lines", read)


def _windows(cut: Cut, rows: Rows) -> tuple[set[int], set[int], set[int]]:
    """Lines run in every healthy window, in any of them, and in the second window of the cut."""
    import numpy as np

    windows = cut.view.timeline.windows
    at = np.searchsorted([window.start_ns for window in windows], rows["time_unix_nano"], side="right") - 1
    parts: dict[str, set[int]] = {}
    for number in np.unique(at).tolist():
        parts.setdefault(str(windows[number].phase), set()).update(rows["place"][at == number].tolist())
    present = [parts[str(phase)] for phase in HEALTHY if str(phase) in parts]
    baseline = parts.get(str(Phase.BASELINE), set())
    usual = baseline.intersection(*present) if baseline else set()
    return usual, set().union(*present), parts.get(str(cut.after.phase), set())


def _line_shift(subject: str, figure: str, usual: set[int], changed: set[int], least: int, share: float) -> Shift:
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
