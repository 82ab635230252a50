"""The values of the proof: a figure in two windows, how far it must move to matter, how it moved."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

HARMLESS = "in the harmless direction"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One figure in one window: seconds since the window's start (sorted), the values there, the window's length."""

    times_s: np.ndarray
    values: np.ndarray
    length_s: float

    def where(self, mask: np.ndarray) -> Stretch:
        """The rows of a boolean mask; the length stays."""
        return Stretch(times_s=self.times_s[mask], values=self.values[mask], length_s=self.length_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How far a figure must move to matter.

    `ratio` of the typical values (or its inverse), `delta` Cliff's delta of the rows, `floor` the least difference in
    the figure's own unit; for shares only `floor`, as a difference of shares. `direction` is 1 when only a rise counts,
    -1 when only a fall does, 0 for both.
    """

    ratio: float = 1.5
    delta: float = 0.33
    floor: float = 0.0
    direction: int = 0
    fall: float = 0.0
    """Least ratio of a fall, where it must be larger than that of a rise; 0: the same."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A figure to compare: a `level` (rows are measurements), a `share` (rows are 0 or 1), a `rate` (counts of blocks).

    `reference` is (events, rows) to stand in for a baseline without any event of its own: the share over everything.
    `scale` turns a printed level into its unit when the rows are relative to their kind's baseline. `steady` asks of a
    share that it rises in most blocks, as slowness does that is no series of bursts.
    """

    subject: str
    figure: str
    kind: str
    before: Stretch
    after: Stretch
    bar: Bar
    unit: str = ""
    reference: tuple[int, int] | None = None
    scale: float = 1.0
    steady: bool = False

    @property
    def name(self) -> str:
        """Subject and figure in one."""
        return f"{self.subject} {self.figure}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How a series moved. `before` and `after` are medians, shares or events a second; `why_not` is empty if moved."""

    subject: str
    figure: str
    kind: str
    unit: str
    rows_before: int
    rows_after: int
    before: float
    after: float
    ratio: float
    delta: float
    difference: float
    p: float
    p_corrected: float
    moved: bool
    why_not: str = ""

    @property
    def name(self) -> str:
        """Subject and figure in one."""
        return f"{self.subject} {self.figure}"

    @property
    def strength(self) -> float:
        """Rank of a shift among others: 0 is none; what moved ranks above what did not, what can't count below all."""
        if self.why_not == HARMLESS:
            return 0.0
        size = abs(self.difference) if self.kind == "share" else abs(self.delta) * min(abs(math.log(self.ratio)), 3.0)
        return size + (10.0 if self.moved else 0.0)

    def sentence(self) -> str:
        """The shift in words and numbers, and what it lacks when it did not move."""
        if self.kind == "set":
            text = (
                f"{self.subject} {self.figure} {say_number(self.before)} -> {say_number(self.after)}{_unit(self.unit)}"
            )
        elif self.kind == "share":
            text = (
                f"{self.subject} {self.figure} {self.before:.1%} of {self.rows_before} -> "
                f"{self.after:.1%} of {self.rows_after}, p {_p(self.p_corrected)}"
            )
        else:
            typical = "p50" if self.kind == "level" else "mean"
            text = (
                f"{self.subject} {self.figure} {typical} {say_number(self.before)} -> {say_number(self.after)}"
                f"{_unit(self.unit)}, ratio {say_number(self.ratio)}, delta {self.delta:+.2f}, p {_p(self.p_corrected)}"
            )
        return text if self.moved else f"{text} ({self.why_not})"

    def evidence(self) -> dict[str, Any]:
        """The shift as JSON."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


def set_shift(
    subject: str, figure: str, before: float, after: float, *, moved: bool, why_not: str = "", unit: str = ""
) -> Shift:
    """A shift of a figure that chance does not move (an instance's number, a setting, lines run): no test needed."""
    low, high = sorted((abs(before), abs(after)))
    return Shift(
        subject=subject, figure=figure, kind="set", unit=unit, rows_before=1, rows_after=1, before=before, after=after,
        ratio=(high + 1.0) / (low + 1.0), delta=float((after > before) - (after < before)), difference=after - before,
        p=0.0 if moved else 1.0, p_corrected=0.0 if moved else 1.0, moved=moved, why_not=why_not,
    )  # fmt: skip


def as_evidence(shifts: Sequence[Shift], *, most: int = 12) -> Mapping[str, Any]:
    """The strongest shifts as a finding's evidence."""
    return {"looked_at": len(shifts), "shifts": [shift.evidence() for shift in shifts[:most]]}


def say_number(value: float) -> str:
    """A number as a reader wants it: three digits, thousands set apart."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-12 else "< 1e-12"


def _plain(value: Any) -> Any:
    """JSON has no infinity and no NaN."""
    return value if not isinstance(value, float) or math.isfinite(value) else None
