"""A case's tables as arrays in time order: each column is converted once, rows are chosen by number."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_anomod.checks.shifts import Stretch
from pytest_anomod.model.timeline import Window
from pytest_anomod.model.verdict import CaseView

if TYPE_CHECKING:
    import numpy as np

Made = TypeVar("Made")


def kept(view: CaseView, name: str, make: Callable[[], Made]) -> Made:
    """What several checks of a case need, made when it is first asked for and kept with the case."""
    if name not in view.kept:
        view.kept[name] = make()
    made: Made = view.kept[name]
    return made


def table(view: CaseView, modality: str) -> Table:
    """A modality's table; one without rows when the case has none."""
    return kept(view, f"table {modality}", lambda: Table(view.frames.get(modality)))


@dataclasses.dataclass(frozen=True, slots=True)
class Labels:
    """A column of text: a number per row into the names that occur, -1 where there is none."""

    codes: np.ndarray
    names: Sequence[str]

    def code(self, name: str) -> int:
        """The number of a name; -2 for one that does not occur."""
        return self.names.index(name) if name in self.names else -2

    def among(self, names: Collection[str]) -> np.ndarray:
        """Whether each row has one of the names."""
        import numpy as np

        return np.isin(self.codes, [number for number, name in enumerate(self.names) if name in names])


class Table:
    """A table of a case in time order; made of None it has no rows, and every column."""

    def __init__(self, frame: Any) -> None:
        import numpy as np

        if frame is None:
            frame = _Nothing()
        times = frame["time_unix_nano"].to_numpy()
        self._order = None if (np.diff(times) >= 0).all() else np.argsort(times, kind="stable")
        self._frame = frame
        self._columns: dict[str, np.ndarray] = {}
        self._labels: dict[str, Labels] = {}
        self.times = self["time_unix_nano"]

    def __len__(self) -> int:
        return len(self.times)

    def __contains__(self, name: str) -> bool:
        return name in self._columns or name in self._frame

    def __getitem__(self, name: str) -> np.ndarray:
        """A column of numbers (or of anything, as objects)."""
        if name not in self._columns:
            values = self._frame[name].to_numpy()
            self._columns[name] = values if self._order is None else values[self._order]
        return self._columns[name]

    def put(self, name: str, values: np.ndarray) -> None:
        """Add a column that was worked out of others, in the table's order."""
        self._columns[name] = values

    def put_labels(self, name: str, labels: Labels) -> None:
        """The same for a column of text."""
        self._labels[name] = labels

    def labels(self, name: str) -> Labels:
        """A column of text."""
        if name not in self._labels:
            import numpy as np
            import pandas as pd

            codes, names = pd.factorize(self._frame[name])
            texts = list(map(str, np.asarray(names, dtype=object)))  # at once: Arrow gives one by one slowly
            self._labels[name] = Labels(codes if self._order is None else codes[self._order], texts)
        return self._labels[name]

    def text(self, name: str) -> list[str]:
        """A column of text as it is; empty where there is none."""
        column = self.labels(name)
        names = [*column.names, ""]
        return [names[code] for code in column.codes.tolist()]

    def ids(self, *names: str) -> tuple[list[np.ndarray], int]:
        """Columns of ids as numbers that are the same for the same id in any of them, and how many ids there are."""
        import numpy as np
        import pandas as pd

        codes, known = pd.factorize(pd.concat([self._frame[name] for name in names], ignore_index=True))
        parts = np.split(codes, len(names))
        return [part if self._order is None else part[self._order] for part in parts], len(known)

    @cached_property
    def all(self) -> Rows:
        """Every row."""
        import numpy as np

        return Rows(self, np.arange(len(self)))

    def inside(self, window: Window) -> Rows:
        """The rows that begin in a window."""
        import numpy as np

        first, last = np.searchsorted(self.times, (window.start_ns, window.end_ns), side="left")
        return Rows(self, np.arange(first, max(first, last)))


class _Nothing:
    """Stands for the frame of a modality that a case does not have."""

    def __contains__(self, name: str) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        import pandas as pd

        return pd.Series([], dtype="int64")


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table, by number, in time order."""

    table: Table
    at: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column of numbers at these rows."""
        return self.table[name][self.at]

    def codes(self, name: str) -> np.ndarray:
        """The numbers of a column of text at these rows."""
        return self.table.labels(name).codes[self.at]

    def where(self, mask: np.ndarray) -> Rows:
        """The rows of a mask over these rows."""
        return Rows(self.table, self.at[mask])

    @property
    def none(self) -> Rows:
        """No row of the same table."""
        return Rows(self.table, self.at[:0])

    def named(self, column: str, name: str) -> Rows:
        """The rows with a name in a column of text."""
        return self.where(self.codes(column) == self.table.labels(column).code(name))

    def split(self, column: str) -> dict[str, Rows]:
        """The rows by name in a column of text."""
        import numpy as np

        codes = self.codes(column)
        order = np.argsort(codes, kind="stable")
        found, starts = np.unique(codes[order], return_index=True)
        parts = zip(found, starts, np.append(starts, len(order))[1:], strict=True)
        names, at = self.table.labels(column).names, self.at[order]
        return {names[code]: Rows(self.table, at[start:end]) for code, start, end in parts if code >= 0}

    def stretch(self, values: np.ndarray | str, window: Window) -> Stretch:
        """A figure of these rows (a column's name, or values) as times and values within a window."""
        import numpy as np

        column = self[values] if isinstance(values, str) else values
        times = (self.table.times[self.at] - window.start_ns) / 1e9
        return Stretch(times_s=times, values=np.asarray(column, dtype=float), length_s=window.length_s)


def combined(*codes: np.ndarray) -> np.ndarray:
    """One number a row for each combination of several columns' numbers."""
    import numpy as np

    key = np.asarray(codes[0], dtype=np.int64)
    for column in codes[1:]:
        key = key * (int(column.max(initial=0)) + 2) + column + 1
    return np.unique(key, return_inverse=True)[1]


def group_medians(codes: np.ndarray, values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Median (NaN where there is no row) and number of rows of each of `count` groups."""
    import numpy as np

    sizes = np.bincount(codes, minlength=count)
    medians = np.full(count, np.nan)
    if len(values):
        ordered = values[np.lexsort((values, codes))]
        present = np.flatnonzero(sizes)
        ends = np.cumsum(sizes)[present]
        middles = ends - sizes[present]
        low, high = middles + (sizes[present] - 1) // 2, middles + sizes[present] // 2
        medians[present] = (ordered[low] + ordered[high]) / 2
    return medians, sizes
