"""All cases of a table in one Parquet file (or one a split), written case by case."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pytest_anomod.dataset import card, index, tables
from pytest_anomod.exporters import Losses
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.modality import in_order

if TYPE_CHECKING:
    from pytest_anomod.dataset.read import Dataset

CASES = "cases"


def write(data: Dataset, out: Path, losses: Losses, *, by_split: bool) -> dict[str, dict[str, list[str]]]:
    """Write `data/<table>/<split>.parquet` for `cases` and each modality; the files by table and split, below `out`.

    Without `by_split`, or where labels tell no split, all is in one. Tables are as in the dataset, with all columns.
    """
    schemas = {name: _schema(data, name) for name in data.modalities}
    found: dict[str, dict[str, list[str]]] = {}
    with contextlib.ExitStack() as stack:

        @functools.cache
        def writer(table: str, split: str) -> pq.ParquetWriter:
            path = Path("data", table, f"{split}.parquet")
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            found.setdefault(table, {})[split] = [path.as_posix()]
            schema = schemas[table].remove_metadata()
            return stack.enter_context(pq.ParquetWriter(out / path, schema, compression="zstd"))

        for row, case in zip(data.rows, data, strict=True):
            split = (row.get("split") if by_split else None) or card.SPLIT
            for name in case.modalities:
                part = tables.read_parquet(case.directory / f"{name}.parquet")
                writer(name, split).write_table(_fitted(part, schemas[name].remove_metadata()))
            losses.written += 1
    found[CASES] = _cases(data, out, by_split=by_split)
    return {name: dict(sorted(found[name].items())) for name in (CASES, *in_order(found.keys() - {CASES}))}


def schemas(data: Dataset) -> dict[str, pa.Schema]:
    """The schema of each table; its fields carry what they mean."""
    return {CASES: _case_table(data.rows).schema, **{name: _schema(data, name) for name in data.modalities}}


def _schema(data: Dataset, name: str) -> pa.Schema:
    """All columns that the table has in any case; only footers are read."""
    having = [row for row in data.rows if row.get(f"rows_{name}") is not None]
    footers: Iterator[pa.Schema] = (tables.read_schema(data.path / row["path"] / f"{name}.parquet") for row in having)
    try:
        return functools.reduce(lambda left, right: pa.unify_schemas([left, right]), footers)
    except pa.ArrowException as error:
        msg = f"the {name} tables of {data.path} differ in schema ({error}); `anomod validate` says which do"
        raise DatasetError(msg) from error


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with all columns of the schema; those it lacks are null."""
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _case_table(rows: Any) -> pa.Table:
    """cases.parquet without `path`, which leads nowhere here."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=index.index_schema(rows)).drop_columns(["path"])


def _cases(data: Dataset, out: Path, *, by_split: bool) -> dict[str, list[str]]:
    (out / "data" / CASES).mkdir(parents=True)
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for row in data.rows:
        parts.setdefault((row.get("split") if by_split else None) or card.SPLIT, []).append(row)
    schema = _case_table(data.rows).schema
    for split, rows in parts.items():
        tables.write_parquet(out / "data" / CASES / f"{split}.parquet", _fitted(_case_table(rows), schema))
    return {split: [f"data/{CASES}/{split}.parquet"] for split in parts}
