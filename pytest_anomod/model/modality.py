"""What a modality is: a name, a schema, and a collector that turns a stretch of time into columns."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Deployment
from pytest_anomod.model.source import Source

MODALITIES = ("logs", "metrics", "traces", "api_responses", "coverage")
"""The paper's five, in the order in which they are shown everywhere. Others (entry points) come after them."""

COMMON_COLUMNS = ("case_id", "time_unix_nano", "service_name", "service_instance_id", "phase")
"""Columns every table begins with; `case_id` and `phase` are filled in when a case is written."""

HOST = "host"
"""Name of the service that the machine itself is in the metrics: no part of the system, and so of no finding."""

Columns = Mapping[str, Sequence[Json]]
"""A table as sequences of equal length, by column name; where rows are many, arrays of numbers and `Coded`."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Coded(Sequence[Json]):
    """A column of few distinct values: row i holds values[codes[i]]; `codes` is an array of type "i"."""

    codes: array[int]
    values: Sequence[Json]

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Json]:
        return map(self.values.__getitem__, self.codes)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self.values[code] for code in self.codes[row]]
        return self.values[self.codes[row]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: type is int64, int32, float64, bool, string or json (an object, stored as JSON text)."""

    name: str
    type: str
    doc: str
    nullable: bool = False


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of modalities in their order: ours first, then others by name."""
    known = dict.fromkeys(names)
    return (*(name for name in MODALITIES if name in known), *sorted(set(known) - set(MODALITIES)))


class Collector(Protocol):
    """Captures one modality of one deployment for one case.

    `may_be_silent` is true where services need not send anything (a receiver, a log of any program): then a window
    without rows is not a loss, and in a case without any row the modality is absent.
    """

    may_be_silent: bool

    @property
    def dropped(self) -> int:
        """How many records could not be taken."""

    @property
    def noted(self) -> Mapping[str, int]:
        """Oddities of records, and reasons why some were dropped: how often each, by its text."""

    def start(self) -> None:
        """Begin; CaptureError when the source can't be had."""

    def edge(self, name: str) -> None:
        """A phase begins or ends now; collectors that count since a reset take their snapshot here."""

    def settle(self, since_s: float) -> None:
        """Wait for records that are on their way; everything that causes some ended at `since_s` (monotonic)."""

    def stop(self) -> None:
        """End, and read what there is; idempotent."""

    def columns(self, start_ns: int, end_ns: int) -> Columns:
        """All records with start_ns <= time_unix_nano < end_ns, in time order, without case_id, phase and phase_end."""


class Modality(Protocol):
    """Schema and collector of one modality; `has_length` is true when records carry duration_ns (and so phase_end)."""

    name: str
    columns: tuple[Column, ...]
    has_length: bool
    absence: str
    """Why a case may lack it, in words for the case and the report: what would have to be there."""

    def collector(self, deployment: Deployment, sources: Sequence[Source]) -> Collector | None:
        """A collector of these sources for one case; None when it understands none of them."""
