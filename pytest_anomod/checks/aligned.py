"""Do all modalities tell the same time: rows inside the timeline, spans inside each other, phases true to the clock?"""

from __future__ import annotations

import itertools
from typing import Any

from pytest_anomod.checks.spans import ids
from pytest_anomod.checks.tables import Table, table
from pytest_anomod.model.timeline import Timeline
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

SKEW_NS = 5_000_000
"""A span may begin this much before the one above it: clocks of one host, read by different processes."""

SKEWED_SHARE = 0.01


def check_aligned(view: CaseView) -> Finding:
    """Times and phases of every table against the timeline, and spans against those above them."""
    problems: list[str] = []
    figures: dict[str, Any] = {}
    for name in view.frames:
        problems += _table_problems(name, table(view, name), view.timeline)
    early, children = _early_children(view)
    figures |= {"spans_with_parent": children, "spans_before_their_parent": early}
    if children and early > SKEWED_SHARE * children:
        problems.append(f"{early} of {children} spans begin over {SKEW_NS / 1e6:.0f} ms before the span above them")
    orders = [activity.start_ns for activity in view.journal.played]
    backward = sum(later < earlier for earlier, later in itertools.pairwise(orders))
    if backward:
        problems.append(f"the journal's times step back {backward} times: the wall clock was set during the case")
    message = "; ".join(problems) or (
        f"all rows of {len(view.frames)} modalities lie in their windows, {children} spans below theirs"
    )
    return Finding(
        check="aligned", question="aligned", outcome=Outcome.BROKEN if problems else Outcome.PROVEN,
        message=message, evidence=figures,
    )  # fmt: skip


def _table_problems(name: str, rows: Table, timeline: Timeline) -> list[str]:
    import numpy as np

    times = rows.times
    outside = int(((times < timeline.start_ns) | (times >= timeline.end_ns)).sum())
    if outside:
        return [f"{outside} rows of {name} lie outside the case's timeline"]
    problems = []
    starts = np.array([window.start_ns for window in timeline.windows])
    phases = rows.labels("phase")
    numbers = np.array([phases.code(str(window.phase)) for window in timeline.windows])
    # of windows without length the last that starts at a moment holds it, as in Timeline.phase_at
    wrong = int((numbers[np.searchsorted(starts, times, side="right") - 1] != phases.codes).sum())
    if wrong:
        problems.append(f"{wrong} rows of {name} carry another phase than the timeline gives their time")
    if "duration_ns" in rows:
        negative = int((rows["duration_ns"] < 0).sum())
        if negative:
            problems.append(f"{negative} rows of {name} have a negative duration")
    return problems


def _early_children(view: CaseView) -> tuple[int, int]:
    """Spans that begin well before the span above them, and all that have one."""
    import numpy as np

    (own, above), count = ids(view)
    times = table(view, "traces").times
    starts = np.full(count, -1, dtype=np.int64)
    starts[own[::-1]] = times[::-1]  # of several spans of one id the first
    known = above >= 0
    parents = starts[above[known]]
    gap = times[known][parents >= 0] - parents[parents >= 0]
    return int((gap < -SKEW_NS).sum()), len(gap)
