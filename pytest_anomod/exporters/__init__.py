"""Formats of other tools, a file each, and the protocol of an exporter. The command is `anomod export`.

A third party offers one through the entry point group `pytest_anomod.exporters`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pytest_anomod.dataset.read import Dataset


class Exporter(Protocol):
    """Writes a dataset in one format. The first line of its docstring is what `anomod list` says of it."""

    name: str

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write all cases of `data` into `out`, an empty directory; note in `losses` what the format can't hold.

        Iterate over `data` and keep no case: then memory is bounded by the largest one. DatasetError when a case
        can't be written though the format could hold it.
        """


@dataclasses.dataclass(kw_only=True)
class Losses:
    """What a format can't hold, counted: cases left out, rows left out, columns that were there and are not taken."""

    written: int = 0
    """Cases written."""
    _cases: Counter[str] = dataclasses.field(default_factory=Counter)
    _notes: Counter[str] = dataclasses.field(default_factory=Counter)
    _rows: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    _columns: dict[str, Counter[str]] = dataclasses.field(default_factory=dict)

    def case(self, why: str) -> None:
        """A case that was left out."""
        self._cases[why] += 1

    def note(self, what: str) -> None:
        """Something that a case which was written lacks in this format."""
        self._notes[what] += 1

    def rows(self, modality: str, count: int, why: str) -> None:
        """Rows of a modality that were left out."""
        if count:
            self._rows[modality, why] += count

    def columns(self, modality: str, frame: Any, kept: Iterable[str]) -> None:
        """Columns of a table of which only `kept` are taken; what is empty in all rows is no loss."""
        lost = self._columns.setdefault(modality, Counter())
        for name in set(frame.columns) - set(kept):
            lost[name] += int(frame[name].notna().sum())

    def lines(self) -> Iterator[str]:
        """One line a loss."""
        for why, count in sorted(self._cases.items()):
            yield f"{count} cases left out: {why}"
        for what, count in sorted(self._notes.items()):
            yield f"{count} cases: {what}"
        for (modality, why), count in sorted(self._rows.items()):
            yield f"{modality}: {count:,} rows left out: {why}"
        for modality, lost in sorted(self._columns.items()):
            if named := [f"{name} ({count:,} values)" for name, count in sorted(lost.items()) if count]:
                yield f"{modality}: columns left out: {', '.join(named)}"
