"""Turns one column of a collector into a checked Arrow array; equal values are checked once."""

from __future__ import annotations

import json
from array import array as numbers
from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa

from pytest_anomod.dataset import files
from pytest_anomod.model import fast_json
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import Coded, Column

ARROW_TYPES = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "json": pa.string(),
}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "int64": (int,),
    "int32": (int,),
    "float64": (float, int),
    "bool": (bool,),
    "string": (str,),
    "json": (str,),
}
_NUMBERS = {"q": "int64", "i": "int32", "d": "float64"}
"""Types of `array.array` that are a column as they are."""

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def array(name: str, column: Column, values: Sequence[Json]) -> pa.Array:
    """The values as an Arrow array; DatasetError names the modality, the column and the row of what does not fit."""
    if isinstance(values, numbers) and _NUMBERS.get(values.typecode) == column.type:
        return pa.array(np.frombuffer(values, dtype=values.typecode) if values else [], type=ARROW_TYPES[column.type])
    if isinstance(values, Coded):
        return _coded(name, column, values)
    if column.type == "json":
        values = _json_texts(name, column, values)
    _check_types(name, column, values)
    arrow_type = ARROW_TYPES[column.type]
    try:
        return pa.array(values, type=arrow_type)
    except (pa.ArrowException, OverflowError, UnicodeError):
        for row, value in enumerate(values):
            try:
                pa.array([value], type=arrow_type)
            except (pa.ArrowException, OverflowError, UnicodeError) as error:
                msg = f"{name}: column {column.name!r}, row {row}: {value!r:.80} is no {column.type} ({error})"
                raise DatasetError(msg) from error
        raise


def _coded(name: str, column: Column, values: Coded) -> pa.Array:
    try:
        distinct = array(name, column, list(values.values))
    except DatasetError:
        return array(name, column, list(values))  # which says the row, or has none with the value that does not fit
    codes = pa.array(np.frombuffer(values.codes, dtype="i") if values.codes else [], type=pa.int32())
    return distinct.take(codes)


def _check_types(name: str, column: Column, values: Sequence[Json]) -> None:
    allowed = _PYTHON_TYPES[column.type]
    types = set(map(type, values))  # one quick pass; rows are looked at only when something is odd
    if types <= set(allowed) | ({type(None)} if column.nullable else set()):
        return
    for row, value in enumerate(values):
        if value is None and not column.nullable:
            msg = f"{name}: column {column.name!r}, row {row}: is null, and may not be"
            raise DatasetError(msg)
        good = isinstance(value, allowed) and (bool in allowed or not isinstance(value, bool))
        if value is not None and not good:
            kind = type(value).__name__
            msg = f"{name}: column {column.name!r}, row {row}: {value!r:.80} is a {kind}, not {column.type}"
            raise DatasetError(msg)


def _json_texts(name: str, column: Column, values: Sequence[Json]) -> list[str | None]:
    """Objects as JSON text with sorted keys; text that is an object's JSON already is kept as it is."""
    texts: list[str | None] = []
    checked: set[str] = set()
    for row, value in enumerate(values):
        try:
            if isinstance(value, str):
                if value not in checked and not isinstance(fast_json.loads(value), (dict, list)):
                    raise ValueError("not an object")
                checked.add(value)
                texts.append(value)
            else:
                texts.append(None if value is None else _dump(value))
        except (TypeError, ValueError) as error:
            msg = f"{name}: column {column.name!r}, row {row}: {value!r:.80} is no JSON object ({error})"
            raise DatasetError(msg) from error
    return texts


def _dump(value: Json) -> str:
    try:
        return orjson.dumps(value, option=_SORTED).decode()
    except TypeError:  # it holds values that JSON does not have
        return _ENCODER.encode(files.plain(value))
