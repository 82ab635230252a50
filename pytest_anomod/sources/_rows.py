"""Rows become columns: those of a stretch of time, in time order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Columns

Row = tuple[Json, ...]
"""Values in the order of the fields; time_unix_nano is the first."""


def to_columns(rows: Iterable[Row], fields: Sequence[str], start_ns: int, end_ns: int) -> Columns:
    """Rows with start_ns <= time_unix_nano < end_ns as lists by field, in time order."""
    kept = sorted((row for row in rows if start_ns <= row[0] < end_ns), key=lambda row: row[0])
    if not kept:
        return {field: [] for field in fields}
    return {field: list(values) for field, values in zip(fields, zip(*kept, strict=True), strict=True)}


def merged(parts: Sequence[Columns], fields: Sequence[str]) -> Columns:
    """The rows of several readers as one, in time order; those of a single one as they are."""
    parts = [part for part in parts if len(part["time_unix_nano"])]
    if len(parts) == 1:
        return parts[0]
    columns = {field: list(itertools.chain.from_iterable(part[field] for part in parts)) for field in fields}
    times = columns["time_unix_nano"]
    order = sorted(range(len(times)), key=times.__getitem__)
    return {field: [values[row] for row in order] for field, values in columns.items()}
