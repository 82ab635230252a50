"""Do all modalities have the same clock: rows inside the timeline, spans inside each other, phases by their times?"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.spans import ids
from pytest_anomod.checks.tables import Table, table
from pytest_anomod.model.timeline import Timeline
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

if TYPE_CHECKING:
    import numpy as np

SKEW_NS = 5_000_000
"""A span may begin this much before the one above it: clocks of one host, read by different processes."""

HOSTS_SKEW_NS = 500_000_000
"""The same for spans that others send, perhaps from other hosts: less than this puts no row into a wrong window."""

SKEWED_SHARE = 0.01


def check_aligned(view: CaseView) -> Finding:
    """Times and phases of every table against the timeline, and spans against those above them."""
    problems: list[str] = []
    figures: dict[str, Any] = {}
    for name in view.frames:
        problems += _table_problems(name, table(view, name), view.timeline)
    skew = _skew(view)
    figures |= skew.figures
    if skew.children and skew.judged > SKEWED_SHARE * skew.children:
        problems.append(
            f"{skew.judged} of {skew.children} spans begin over {skew.bound_ns / 1e6:.0f} ms before the span above them"
        )
    orders = [activity.start_ns for activity in view.journal.played]
    backward = sum(later < earlier for earlier, later in itertools.pairwise(orders))
    if backward:
        problems.append(f"the journal's times step back {backward} times: the wall clock was set during the case")
    message = "; ".join(problems) or (
        f"all rows of {len(view.frames)} modalities lie in their windows, {skew.children} spans below theirs"
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Skew:
    """Spans that have one above them, how many begin before it by more than a bound, and all that was counted."""

    children: int
    judged: int
    bound_ns: int
    figures: dict[str, int]


def _skew(view: CaseView) -> _Skew:
    """Spans that begin before the span above them, and those of a service that begin outside the call that they answer.

    Our own requests are calls too: a service whose clock differs from ours shows there.
    """
    import numpy as np

    (own, above), count = ids(view)
    rows = table(view, "traces")
    starts, ends = rows.times, rows.times + rows["duration_ns"]
    firsts = np.full(count, -1, dtype=np.int64)
    firsts[own[::-1]] = np.arange(len(rows))[::-1]  # of several spans of one id the first
    known = np.flatnonzero(above >= 0)
    parents = firsts[above[known]]
    children, parents = known[parents >= 0], parents[parents >= 0]
    gaps = starts[children] - starts[parents]
    kinds = rows.labels("span_kind")
    server = kinds.codes == kinds.code("SERVER")
    answers = server[children] & (kinds.codes[parents] == kinds.code("CLIENT"))
    outside = (gaps < -SKEW_NS) | (starts[children] > ends[parents] + SKEW_NS)
    bound_ns = HOSTS_SKEW_NS if "traces" in view.may_be_silent else SKEW_NS
    figures = {
        "spans_with_parent": len(children),
        "spans_before_their_parent": int((gaps < -SKEW_NS).sum()),
        "spans_outside_their_call": int((answers & outside).sum()),
        "spans_outside_our_request": _outside_requests(view, server & ~np.isin(np.arange(len(rows)), children)),
    }
    return _Skew(children=len(children), judged=int((gaps < -bound_ns).sum()), bound_ns=bound_ns, figures=figures)


def _outside_requests(view: CaseView, entries: np.ndarray) -> int:
    """SERVER spans right below a request of a user that do not begin while that was under way."""
    rows, responses = table(view, "traces"), table(view, "api_responses")
    if "span_id" not in responses or not entries.any():
        return 0
    ends = responses.times + responses["duration_ns"]
    ids, begins = responses["span_id"].tolist(), responses.times.tolist()
    asked = dict(zip(ids, zip(begins, ends.tolist(), strict=True), strict=True))
    outside = 0
    for above, start in zip(rows["parent_span_id"][entries].tolist(), rows.times[entries].tolist(), strict=True):
        begin, end = asked.get(above, (start, start))
        outside += not begin - SKEW_NS <= start <= end + SKEW_NS
    return outside
