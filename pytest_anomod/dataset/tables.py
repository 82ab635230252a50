"""Turns the columns of a modality into an Arrow table with phases, and tables into Parquet and pandas."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pytest_anomod.dataset import files
from pytest_anomod.dataset.arrays import ARROW_TYPES, array
from pytest_anomod.dataset.layout import FORMAT_VERSION
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.modality import Column, Columns, Modality
from pytest_anomod.model.timeline import Timeline

ROW_GROUP_ROWS = 131_072

CASE_ID = Column(name="case_id", type="string", doc="the case this row belongs to")
COMMON = (
    CASE_ID,
    Column(name="time_unix_nano", type="int64", doc="UTC nanoseconds since the Unix epoch; the start, for what lasts"),
    Column(name="service_name", type="string", doc="logical service, the same name in all modalities"),
    Column(
        name="service_instance_id",
        type="string",
        doc="the process or container of the service; null where none can be named",
        nullable=True,
    ),
    Column(name="phase", type="string", doc="window of the timeline that holds time_unix_nano"),
)
PHASE_END = Column(
    name="phase_end",
    type="string",
    doc="window of the timeline that holds time_unix_nano + duration_ns; null when that is after the case",
    nullable=True,
)
_PANDAS_TYPES = {pa.int64(): "Int64", pa.int32(): "Int32", pa.bool_(): "boolean"}
"""What nullable columns are in pandas, whose own numbers know no null: they would become floats."""
FILLED_IN = frozenset({"case_id", "phase", "phase_end"})
"""Columns that no collector provides."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Counts of a written table: rows written, rows left out because they lie outside the timeline, rows a phase."""

    rows: int
    outside: int
    phases: Mapping[str, int]


def table_columns(modality: Modality) -> tuple[Column, ...]:
    """All columns of a modality's table in order: the common ones, then its own, phase_end right after duration_ns."""
    own = {column.name: column for column in modality.columns}
    ordered = [own.pop(column.name, column) for column in COMMON]
    phase_end = own.pop("phase_end", PHASE_END)
    for column in own.values():
        ordered.append(column)
        if modality.has_length and column.name == "duration_ns":
            ordered.append(phase_end)
    if modality.has_length and phase_end not in ordered:
        msg = f"modality {modality.name!r} says its records have a length but has no column duration_ns; add it"
        raise DatasetError(msg)
    return tuple(ordered)


def table_schema(modality: Modality) -> pa.Schema:
    """The Arrow schema of a modality's table."""
    return schema_of(table_columns(modality), modality=modality.name)


def schema_of(columns: Iterable[Column], **named: str) -> pa.Schema:
    """An Arrow schema whose fields carry their doc, JSON text marked by type=json; `named` says what the table is."""
    fields = [
        pa.field(one.name, ARROW_TYPES[one.type], nullable=one.nullable, metadata={"doc": one.doc, "type": one.type})
        for one in columns
    ]
    return pa.schema(fields, metadata={**named, "format_version": str(FORMAT_VERSION)})


def without_rows(name: str) -> pa.Table | None:
    """The table of a modality by name, with its columns and no row; None where no modality of that name is on offer."""
    modality = catalog.offers("modalities").get(name)
    return None if modality is None else table_schema(modality).empty_table()


def build(modality: Modality, columns: Columns, timeline: Timeline, case_id: str) -> tuple[pa.Table, Written]:
    """A modality's columns as a checked table in time order, with case_id and phases, and what was left out.

    DatasetError names the column, and the row counted from 0, of the first thing that does not fit the schema.
    """
    wanted = [column for column in table_columns(modality) if column.name not in FILLED_IN]
    rows = _check_shape(modality.name, wanted, columns)
    made = {
        column.name: array(modality.name, column, columns.get(column.name, ()) or [None] * rows) for column in wanted
    }
    times = made["time_unix_nano"].to_numpy()
    places, inside = find_windows(timeline, times)
    names = pa.array([str(window.phase) for window in timeline.windows])
    made["case_id"] = pa.repeat(pa.scalar(case_id), rows)
    made["phase"] = names.take(pa.array(places))
    if modality.has_length:
        made["phase_end"] = _phase_ends(modality.name, timeline, times, made["duration_ns"], names)
    schema = table_schema(modality)
    table = pa.table([made[name] for name in schema.names], schema=schema)
    if not inside.all():
        table = table.filter(pa.array(inside))
    if table.num_rows and not _is_sorted(times[inside]):
        table = table.take(pa.array(np.argsort(times[inside], kind="stable")))
    return table, Written(rows=table.num_rows, outside=rows - table.num_rows, phases=phase_counts(table["phase"]))


def phase_counts(phases: pa.ChunkedArray) -> dict[str, int]:
    """Rows by phase, in order of first appearance."""
    return {str(item["values"]): item["counts"] for item in pc.value_counts(phases).to_pylist()}


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as zstd Parquet with dictionary-encoded strings, atomically; equal tables give equal bytes."""
    strings = [field.name for field in table.schema if pa.types.is_string(field.type)]
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"pandas": _for_pandas(table.schema)})
    with files.atomic(path) as file:
        pq.write_table(table, file, compression="zstd", use_dictionary=strings, row_group_size=ROW_GROUP_ROWS)


def read_parquet(path: Path, columns: Sequence[str] | None = None, as_dictionary: Sequence[str] = ()) -> pa.Table:
    """Read a Parquet file (only those of `columns` it has); DatasetError when it is missing or damaged."""
    try:
        with _opened(path) as source:
            footer = pq.read_metadata(source)
            names = footer.schema.to_arrow_schema().names
            if columns is not None:
                columns = [name for name in names if name in set(columns)]
            dictionaries = [name for name in as_dictionary if name in names]
            # not pq.read_table: that may add the path's system=, scenario= and case= as columns
            with pq.ParquetFile(source, metadata=footer, read_dictionary=dictionaries) as file:
                return file.read(columns=columns)
    except FileNotFoundError as error:
        msg = f"{path} is missing; fetch the dataset again, or remove the case it belongs to"
        raise DatasetError(msg) from error
    except (pa.ArrowException, OSError) as error:
        msg = f"{path} can't be read as Parquet ({error}); fetch it again, or remove the case it belongs to"
        raise DatasetError(msg) from error


def read_schema(path: Path) -> pa.Schema:
    """The schema of a Parquet file, of which only the footer is read; DatasetError when it is missing or damaged."""
    try:
        with _opened(path) as source:
            return pq.read_schema(source)
    except (pa.ArrowException, OSError) as error:
        msg = f"{path} can't be read as Parquet ({error}); fetch it again, or remove the case it belongs to"
        raise DatasetError(msg) from error


def _opened(path: Path) -> Any:
    """Arrow's own file for one of this machine, which reads without holding Python up; else the store's."""
    return pa.OSFile(os.fspath(path)) if isinstance(path, Path) else path.open("rb")


def to_frame(table: pa.Table) -> Any:
    """A table as a pandas DataFrame; nullable whole numbers become Int64 or Int32, never floats (they round times)."""
    import pandas as pd

    dtypes = {arrow: pd.api.types.pandas_dtype(name) for arrow, name in _PANDAS_TYPES.items()}
    places = [place for place, field in enumerate(table.schema) if field.nullable and field.type in dtypes]
    frame = table.drop_columns([table.column_names[place] for place in places]).to_pandas(use_threads=False)
    for place in places:
        frame.insert(place, table.column_names[place], table.column(place).to_pandas(types_mapper=dtypes.get))
    return frame


def _for_pandas(schema: pa.Schema) -> bytes:
    """What has plain `pandas.read_parquet` read the nullable columns as `to_frame` does, so that no time is rounded."""
    columns = [
        {
            "name": field.name,
            "field_name": field.name,
            "pandas_type": str(field.type),
            "numpy_type": _PANDAS_TYPES[field.type],
            "metadata": None,
        }
        for field in schema
        if field.nullable and field.type in _PANDAS_TYPES
    ]
    return json.dumps({"index_columns": [], "column_indexes": [], "columns": columns}).encode()


def _check_shape(name: str, wanted: Sequence[Column], columns: Columns) -> int:
    """The number of rows; DatasetError for columns that are unknown, missing or of unequal length."""
    known = {column.name for column in wanted}
    if unknown := [column for column in columns if column not in known]:
        msg = f"{name}: column {unknown[0]!r} is not in the schema; its columns are {', '.join(sorted(known))}"
        raise DatasetError(msg)
    rows = max((len(values) for values in columns.values()), default=0)
    for column in wanted:
        if column.name not in columns and (columns and not column.nullable):
            msg = f"{name}: column {column.name!r} is missing; it may not be null, so the collector must give it"
            raise DatasetError(msg)
        length = len(columns[column.name]) if column.name in columns else rows
        if length != rows:
            msg = f"{name}: column {column.name!r} has {length} rows where others have {rows}; all must be equal"
            raise DatasetError(msg)
    return rows


def find_windows(timeline: Timeline, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each time the index of its window (0 where there is none), and whether it has one."""
    starts = np.array([window.start_ns for window in timeline.windows], dtype=np.int64)
    ends = np.array([window.end_ns for window in timeline.windows], dtype=np.int64)
    places = np.searchsorted(starts, times, side="right") - 1
    inside = (places >= 0) & (times < ends[places])
    return np.maximum(places, 0), inside


def _phase_ends(name: str, timeline: Timeline, times: np.ndarray, durations: pa.Array, names: pa.Array) -> pa.Array:
    lengths = durations.to_numpy(zero_copy_only=False)
    if durations.null_count or (lengths < 0).any():
        row = next(i for i, length in enumerate(durations.to_pylist()) if length is None or length < 0)
        msg = f"{name}: column 'duration_ns', row {row}: {durations[row]} is no length; give nanoseconds, 0 or more"
        raise DatasetError(msg)
    places, inside = find_windows(timeline, times + lengths.astype(np.int64))
    return names.take(pa.array(places, mask=~inside))


def _is_sorted(times: np.ndarray) -> bool:
    return bool((np.diff(times) >= 0).all())
