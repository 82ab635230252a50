"""Labels as rows: the schema of label.parquet and of the index, and the way back to a Label."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pytest_anomod.dataset import files
from pytest_anomod.dataset.layout import LABEL_FILE
from pytest_anomod.dataset.tables import read_parquet
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.label import Label, RootCause

PARTITIONS = ("system", "scenario")
"""Fields of a label that are in the path of its file as well."""
CAUSES = "root_causes"
"""The field that holds values of its own kind: JSON text of a list."""

_ARROW: dict[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_NAMES = pa.list_(pa.field("element", pa.string(), nullable=False))


@functools.cache
def _hints() -> Mapping[str, Any]:
    """The types of a label's fields; Python works them out of their text anew, which takes longer than a row."""
    return typing.get_type_hints(Label)


def label_schema() -> pa.Schema:
    """The schema of a label: one column a field; objects are JSON text, times int64 nanoseconds, null if never."""
    hints = _hints()
    return pa.schema([_field(field.name, hints[field.name]) for field in dataclasses.fields(Label)])


def label_table(label: Label) -> pa.Table:
    """A label as a table of one row; DatasetError names the field that does not fit."""
    row = label_row(label)
    schema = label_schema()
    for field in schema:
        value = row[field.name]
        if value is None and not field.nullable:
            msg = f"label of case {label.case_id}: {field.name} is None, and may not be"
            raise DatasetError(msg)
        try:
            pa.array([value], type=field.type)
        except (pa.ArrowException, OverflowError) as error:
            msg = f"label of case {label.case_id}: {field.name}={value!r:.80} is no {field.type} ({error})"
            raise DatasetError(msg) from error
    table = pa.Table.from_pylist([row], schema=schema)
    for name in PARTITIONS:
        # the type that Arrow gives to system= and scenario= of a path; with another one it refuses to read many labels
        place = table.column_names.index(name)
        encoded = pa.field(name, pa.dictionary(pa.int32(), pa.string()), nullable=False)
        table = table.set_column(place, encoded, table[name].dictionary_encode())
    return table


def label_row(label: Label) -> dict[str, Json]:
    """A label as a flat row."""
    row = {}
    for field in dataclasses.fields(label):
        value = getattr(label, field.name)
        if field.name == CAUSES and value is not None:
            value = [dataclasses.asdict(cause) for cause in value]
        if isinstance(value, Mapping) or (field.name == CAUSES and value is not None):
            value = json.dumps(files.plain(value), sort_keys=True, ensure_ascii=False)
        row[field.name] = list(value) if isinstance(value, tuple) else value
    return row


def row_label(row: Mapping[str, Json]) -> Label:
    """The label of a row (one of label.parquet, or of the index)."""
    hints = _hints()
    values = {}
    for field in dataclasses.fields(Label):
        if field.name not in row and _has_default(field):
            continue  # written before labels had it
        value, hint = row[field.name], hints[field.name]
        if field.name == CAUSES:
            value = None if value is None else tuple(map(_cause, json.loads(value)))
        elif typing.get_origin(hint) is tuple:
            value = tuple(value or ())
        elif _is_names(hint):
            value = None if value is None else tuple(value)
        elif typing.get_origin(hint) not in (types.UnionType, None):
            value = json.loads(value)
        values[field.name] = value
    return Label(**values)


def read_label_row(directory: Path) -> dict[str, Json]:
    """The row of a case's label.parquet; DatasetError when it has not exactly one row with all fields of a label."""
    path = directory / LABEL_FILE
    rows: Sequence[dict[str, Json]] = read_parquet(path).to_pylist()
    needed = {field.name for field in dataclasses.fields(Label) if not _has_default(field)}
    missing = needed - set(rows[0]) if rows else set()
    if len(rows) != 1 or missing:
        why = f"lacks {', '.join(sorted(missing))}" if missing else f"has {len(rows)} rows, not 1"
        msg = f"{path} {why}; fetch it again, or remove the case"
        raise DatasetError(msg)
    return _defaults() | rows[0]


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _defaults() -> dict[str, Json]:
    """Values of fields for a row that was written before labels had these fields."""
    fields = [field for field in dataclasses.fields(Label) if _has_default(field)]
    made = {field.name: field.default for field in fields if field.default_factory is dataclasses.MISSING}
    return made | {field.name: "{}" for field in fields if field.default_factory is not dataclasses.MISSING}


def _cause(row: Mapping[str, Json]) -> RootCause:
    """A root cause of a compound case, as `label_row` wrote it."""
    known = {field.name for field in dataclasses.fields(RootCause)}
    made: dict[str, Json] = {name: tuple(v) if isinstance(v, list) else v for name, v in row.items() if name in known}
    return RootCause(**made)


def _is_names(hint: Any) -> bool:
    """Whether a field holds names or None."""
    return isinstance(hint, types.UnionType) and typing.get_origin(typing.get_args(hint)[0]) is tuple


def _field(name: str, hint: Any) -> pa.Field:
    if name == CAUSES:
        return pa.field(name, pa.string(), nullable=True, metadata={"type": "json"})
    if _is_names(hint):
        return pa.field(name, _NAMES, nullable=True)
    if isinstance(hint, types.UnionType):
        return pa.field(name, _ARROW[typing.get_args(hint)[0]], nullable=True)
    if typing.get_origin(hint) is tuple:
        return pa.field(name, _NAMES, nullable=False)
    if hint in _ARROW:
        return pa.field(name, _ARROW[hint], nullable=False)
    return pa.field(name, pa.string(), nullable=False, metadata={"type": "json"})
