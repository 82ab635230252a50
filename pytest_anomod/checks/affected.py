"""Which requests of users the fault affected: failed, with another content than before, slower than the baseline's own
bound; or untouched. A label a request, made of the answer alone: no span is needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_anomod.checks.cut import CUT_OFF_S, fault_cut
from pytest_anomod.checks.impact import gateway_shifts
from pytest_anomod.checks.series import body_shapes, body_sizes
from pytest_anomod.checks.spans import responses, spans
from pytest_anomod.checks.statistics import MIN_ROWS
from pytest_anomod.checks.tables import Rows, Table, combined, group_medians, kept
from pytest_anomod.model.settled import SPARE_MS
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

BOUND_QUANTILE = 0.99
BOUND_RATIO = 1.5
"""A request is slow above the 99th percentile of its endpoint's good answers in the baseline, and above 1.5 times their
median and 2 ms, for the 99th percentile of a small sample is its largest value. Where the whole machine was slower in
the anomaly window, the bound is higher by the machine's pace."""


class Answer(StrEnum):
    """What became of a request, in whatever window it was made."""

    OK = "ok"
    FAILED = "failed"
    SLOW = "slow"
    CONTENT = "content"
    UNKNOWN = "unknown"  # the baseline has too few requests like it, or the workload ended under way


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answers:
    """Arrays with an element a row of the API responses, in their order.

    `outcomes` are numbers into OUTCOMES. An answer above `bounds_ms` is slow (NaN: unknown); `bounds_of` says where
    that bound comes from, as numbers into BOUNDS. `affected` is 1, 0 or -1 (unknown), and so is `reaches`: whether the
    root cause has a part in the request's trace.
    """

    table: Table
    outcomes: np.ndarray
    bounds_ms: np.ndarray
    bounds_of: np.ndarray
    affected: np.ndarray
    reaches: np.ndarray

    def columns(self) -> dict[str, Any]:
        """The same as columns of a table; what is unknown is masked."""
        import numpy as np

        return {
            "row": np.arange(len(self.table)),
            "time_unix_nano": self.table.times,
            "trace_id": self.table.text("trace_id") if "trace_id" in self.table else [""] * len(self.table),
            "is_affected": np.ma.masked_array(self.affected == 1, mask=self.affected < 0),
            "outcome": np.array(OUTCOMES, dtype=object)[self.outcomes],
            "reaches_root_cause": np.ma.masked_array(self.reaches == 1, mask=self.reaches < 0),
            "bound_ms": np.ma.masked_invalid(self.bounds_ms),
            "bound_from": np.array(BOUNDS, dtype=object)[self.bounds_of],
        }


OUTCOMES = tuple(Answer)
BOUNDS = ("", "endpoint", "all")
"""Whose good answers in the baseline give the bound: nobody's, the endpoint's own, or those of all endpoints."""


def answers(view: CaseView) -> Answers | None:
    """The labels of all requests; None in a case without API responses."""
    if "api_responses" not in view.frames:
        return None
    return kept(view, "answers", lambda: _answers(view))


def _answers(view: CaseView) -> Answers:
    import numpy as np

    rows = responses(view)
    bounds, whose = _bounds(view, rows)
    outcomes = np.where(np.isnan(bounds), OUTCOMES.index(Answer.UNKNOWN), OUTCOMES.index(Answer.OK))
    outcomes[rows["ms"] > bounds] = OUTCOMES.index(Answer.SLOW)
    outcomes[_other_content(view, rows)] = OUTCOMES.index(Answer.CONTENT)
    outcomes[_unseen(view, rows)] = OUTCOMES.index(Answer.UNKNOWN)
    outcomes[rows["failed"]] = OUTCOMES.index(Answer.FAILED)
    kinds = rows.labels("error_kind")
    outcomes[(kinds.codes == kinds.code("cancelled")) & (rows["ms"] < CUT_OFF_S * 1e3)] = OUTCOMES.index(Answer.UNKNOWN)
    affected = np.where(outcomes == OUTCOMES.index(Answer.OK), 0, 1)
    affected[outcomes == OUTCOMES.index(Answer.UNKNOWN)] = -1
    reaches = _reaches(view, rows)
    affected[(outcomes == OUTCOMES.index(Answer.SLOW)) & (reaches == 0)] = -1  # any request may be slow now and then
    affected[~_under_fault(view, rows)] = 0
    return Answers(
        table=rows, outcomes=outcomes, bounds_ms=bounds, bounds_of=whose, affected=affected, reaches=reaches
    )  # fmt: skip


def _unseen(view: CaseView, rows: Table) -> np.ndarray:
    """Which requests are of a suite's step that the baseline never saw."""
    import numpy as np

    cut = fault_cut(view)
    return np.zeros(len(rows), dtype=bool) if cut is None else ~np.isin(rows.all.at, cut.known(rows.all).at)


def _bounds(view: CaseView, rows: Table) -> tuple[np.ndarray, np.ndarray]:
    """Of each request the bound in milliseconds, NaN where nothing gives one, and a number into BOUNDS for whose it is.

    An endpoint is a method and a route, whichever journey asks for it. Of one with few requests in the baseline the
    bound is its median there, times what all endpoints' good answers vary by.
    """
    import numpy as np

    endpoints = combined(rows.labels("method").codes, rows.labels("route").codes)
    found, whose = np.full(int(endpoints.max(initial=-1)) + 1, np.nan), np.zeros(len(rows), dtype=np.int64)
    baseline, cut = view.timeline.window(Phase.BASELINE), fault_cut(view)
    if baseline is None:
        return found[endpoints], whose
    usual = rows.inside(baseline)
    usual = usual.where((usual["time_unix_nano"] + usual["duration_ns"] < baseline.end_ns) & ~usual["failed"])
    mine, lengths = endpoints[usual.at], usual["ms"]
    medians, counts = group_medians(mine, lengths, len(found))
    many = counts >= MIN_ROWS
    if len(lengths):
        spread = float(np.quantile(lengths / np.maximum(medians[mine], 1e-6), BOUND_QUANTILE))
        found = medians * spread
        for endpoint in np.flatnonzero(many).tolist():
            found[endpoint] = np.quantile(lengths[mine == endpoint], BOUND_QUANTILE)
    found = np.maximum(found, BOUND_RATIO * medians + SPARE_MS) * (max(1.0, cut.pace) if cut is not None else 1.0)
    whose = np.where(np.isnan(found), BOUNDS.index(""), np.where(many, BOUNDS.index("endpoint"), BOUNDS.index("all")))
    return found[endpoints], whose[endpoints]


def _under_fault(view: CaseView, rows: Table) -> np.ndarray:
    """Which requests were under way between the injection and the moment from which users are served as before."""
    import numpy as np

    from pytest_anomod.checks.healed import steady_again

    onset = view.timeline.window(Phase.ONSET)
    if view.scenario.is_control or onset is None:
        return np.zeros(len(rows), dtype=bool)
    until_ns = steady_again(view) or view.timeline.end_ns
    return (rows.times + rows["duration_ns"] >= onset.start_ns) & (rows.times < until_ns)


def _other_content(view: CaseView, rows: Table) -> np.ndarray:
    """Which answers have a shape or a size that does not occur in their endpoint's baseline.

    Only of endpoints whose contents moved by the statistics of the verdict: new shapes come by chance, too.
    """
    import numpy as np

    other = np.zeros(len(rows), dtype=bool)
    cut = fault_cut(view)
    if cut is None or "response_body" not in rows:
        return other
    cuts = [found for one in view.each if (found := fault_cut(one)) is not None] if view.scenario.in_turn else [cut]
    moved = [shift for one in cuts for shift in gateway_shifts(one) if shift.moved]
    figures = {name: {shift.subject for shift in moved if shift.figure == name} for name in _CONTENTS}
    for name, subjects in figures.items():
        for key in subjects:
            usual, all_rows = cut.responses[0].named("key", key), rows.all.named("key", key)
            other[all_rows.at] |= _CONTENTS[name](view, usual.where(~usual["failed"]), all_rows)
    return other


def _new_shape(view: CaseView, usual: Rows, rows: Rows) -> np.ndarray:
    import numpy as np

    known = set(body_shapes(view, usual.codes("response_body")))
    return np.array([shape not in known for shape in body_shapes(view, rows.codes("response_body"))], dtype=bool)


def _new_size(view: CaseView, usual: Rows, rows: Rows) -> np.ndarray:
    sizes = body_sizes(view)
    known, mine = sizes[usual.codes("response_body")], sizes[rows.codes("response_body")]
    return (mine < known.min()) | (mine > known.max())


_CONTENTS = {"answers of a new shape": _new_shape, "body size": _new_size}


def _reaches(view: CaseView, rows: Table) -> np.ndarray:
    """1 where the root cause has a span, or is called, in the request's trace; 0 where not; -1 without any span."""
    import numpy as np

    found = np.full(len(rows), -1)
    if "traces" not in view.frames or "trace_id" not in rows:
        return found
    table = spans(view)
    traces, targets = table.labels("trace_id"), view.scenario.targets
    names = rows.labels("trace_id").names
    service, peer = table.labels("service_name"), table.labels("peer")
    part = service.among(targets) | peer.among(targets)
    for codes, value in ((traces.codes, 0), (traces.codes[part], 1)):
        known = _names_of(codes, traces.names)
        inside = np.array([name in known for name in names] + [False], dtype=bool)
        found[inside[rows.labels("trace_id").codes]] = value
    return found


def _names_of(codes: np.ndarray, names: Sequence[str]) -> set[str]:
    import numpy as np

    return {names[code] for code in np.unique(codes).tolist() if code >= 0 and names[code]}
