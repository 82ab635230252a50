"""Finds when a figure became bad: the change point of a sequence of good and bad rows, and its uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from pytest_anomod.checks.shifts import Shift
from pytest_anomod.checks.tables import Rows

if TYPE_CHECKING:
    import numpy as np

    from pytest_anomod.checks.cut import Cut

LEAST_GIVE_NS = 250_000_000
"""Clocks of services on several hosts, and what is asked only now and then, agree no better."""

ROWS_APART = 3.0
"""A change from no bad row to bad ones alone is found to within so many rows; a smaller one less well."""


class Onset(NamedTuple):
    """When something began to be bad, in UTC nanoseconds.

    `time_ns` is the end of the first bad row, when it was there to be seen; `begin_ns` is when the first bad row began;
    either may be wrong by `give_ns`.
    """

    time_ns: int
    begin_ns: int
    give_ns: int

    def before(self, cause: Onset) -> bool:
        """Whether this was over before the cause began, however wrong both may be.

        A caller that waits for a cause ends after it, or gives up while it is under way: never before it has begun.
        """
        return self.time_ns + self.give_ns + cause.give_ns < cause.begin_ns

    def earlier(self, cause: Onset) -> bool:
        """Whether this could be seen before the cause could."""
        return self.time_ns + self.give_ns + cause.give_ns < cause.time_ns


def onset(cut: Cut, rows: Rows, bad: np.ndarray) -> Onset | None:
    """When the bad rows began that stayed, of rows from the baseline to the end of the second window.

    A row counts at its end. The change point is the minimum of the cumulative sum, in order of end, of each row (1 if
    bad, else 0) less the mean of the shares of bad rows in both windows (Page 1954). None when no share rose.
    """
    import numpy as np

    starts = rows.table.times[rows.at]
    first, second = starts < cut.before.end_ns, starts >= cut.after.start_ns
    if not first.any() or not second.any():
        return None
    low, high = float(bad[first].mean()), float(bad[second].mean())
    if high <= low:
        return None
    ends = starts + rows["duration_ns"]
    order = np.argsort(ends, kind="stable")
    sums = np.cumsum(bad[order] - (low + high) / 2)
    place = int(np.argmin(np.concatenate(([0.0], sums))[:-1]))
    later = order[place:]
    spacing_ns = (cut.after.end_ns - cut.before.start_ns) / len(rows)
    give_ns = ROWS_APART / (high - low) ** 2 * spacing_ns
    return Onset(
        time_ns=int(ends[order][place]), begin_ns=int(starts[later][bad[later]].min()),
        give_ns=max(LEAST_GIVE_NS, round(give_ns)),
    )  # fmt: skip


def bad_rows(cut: Cut, rows: Rows, shift: Shift, multiples: np.ndarray) -> np.ndarray:
    """Which rows are bad as a shift of their errors, their silence or their latency has it.

    For a latency that is a multiple of the usual beyond the middle (geometric) of what is typical in both windows; for
    a share of slow rows the same of the 95th percentiles.
    """
    import numpy as np

    if shift.figure == "errors":
        return np.asarray(rows["failed"], dtype=bool)
    if shift.figure == "unanswered":
        return np.asarray(rows["silent"], dtype=bool)
    values, starts = multiples[rows.at], rows.table.times[rows.at]
    share = 50 if shift.figure == "latency" else 95
    sides = [values[starts < cut.before.end_ns], values[starts >= cut.after.start_ns]]
    low, high = (float(np.nanpercentile(side, share)) if (~np.isnan(side)).any() else 1.0 for side in sides)
    limit = math.sqrt(max(low, 1e-9) * max(high, 1e-9))
    return np.asarray(values > limit if high > low else values < limit, dtype=bool)
