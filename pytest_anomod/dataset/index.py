"""The index of a dataset: dataset.json says what is there, cases.parquet has a row a complete case; and README.md."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.dataset import card, files, layout
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.modality import MODALITIES
from pytest_anomod.model.standing import SUPERSEDED

if TYPE_CHECKING:
    import pyarrow as pa


def write_index(out: str | os.PathLike[str]) -> dict[str, Json]:
    """Write dataset.json, cases.parquet and README.md for all cases below `out`; return the content of dataset.json.

    Files that are up to date are not written. Any number of processes may do this at once: they take turns, and each
    reads the cases again, so that the last one to write has seen all of them. Cases that are incomplete or damaged are
    listed in dataset.json under `incomplete` with the reason. DatasetError when `out` is no directory or its
    dataset.json is of a newer format.
    """
    out = layout.place(out)
    if not out.is_dir():
        msg = f"{out} is no directory, so there is no dataset to index; name the root that cases were written to"
        raise DatasetError(msg)
    from pytest_anomod.dataset import tables

    with files.directory_lock(out):
        table, document = build_index(out)
        if stored_table(out) != table:
            tables.write_parquet(out / layout.CASES_FILE, table)
        if stored_document(out) != document:
            files.write_json(out / layout.DATASET_FILE, document)
        card.write_readme(out, table.to_pylist())
    return document


def build_index(out: Path) -> tuple[pa.Table, dict[str, Json]]:
    """What cases.parquet and dataset.json should hold now."""
    import pyarrow as pa

    complete, incomplete = [], []
    for directory in layout.case_directories(out):
        if layout.is_complete(directory):
            try:
                complete.append(case_row(out, directory))
                continue
            except DatasetError as error:
                reason = f"damaged: {error}"
        else:
            reason = incomplete_reason(directory)
        incomplete.append({"path": directory.relative_to(out).as_posix(), "reason": reason})
    complete = mark_superseded(complete)
    table = pa.Table.from_pylist(complete, schema=index_schema(complete))
    document = {
        "format_version": layout.FORMAT_VERSION,
        "created_unix_nano": (stored_document(out) or {}).get("created_unix_nano") or clock.now_ns(),
        "cases": len(complete),
        "systems": _count(complete, "system"),
        "verdicts": _count(complete, "verdict"),
        "incomplete": incomplete,
    }
    return table, document


def case_row(out: Path, directory: Path) -> dict[str, Json]:
    """One row of the index: the label, rows per modality, bytes, times, and where the case lies below `out`."""
    from pytest_anomod.dataset import label_rows

    manifest = layout.read_manifest(directory)
    return {
        **label_rows.read_label_row(directory),
        "started_unix_nano": manifest.get("started_unix_nano"),
        "ended_unix_nano": manifest.get("ended_unix_nano"),
        "bytes": sum(entry["bytes"] for entry in manifest["files"].values()),
        **{f"rows_{name}": entry["rows"] for name, entry in manifest["tables"].items()},
        "path": directory.relative_to(out).as_posix(),
    }


def mark_superseded(rows: Iterable[dict[str, Json]]) -> list[dict[str, Json]]:
    """The rows with those that another one replaces marked as not usable, which their own label can't say."""
    rows = list(rows)
    replaced = {row.get("replaces") for row in rows}
    return [
        {**row, "usable": False, "unusable_because": [*(row.get("unusable_because") or ()), SUPERSEDED]}
        if row["case_id"] in replaced and SUPERSEDED not in (row.get("unusable_because") or ())
        else row
        for row in rows
    ]


def index_schema(rows: Sequence[Mapping[str, Json]]) -> pa.Schema:
    """The schema of cases.parquet: the label's, then times, bytes, a row count for each modality of any case, path."""
    import pyarrow as pa

    from pytest_anomod.dataset import label_rows

    others = sorted({key for row in rows for key in row if key.startswith("rows_")})
    counts = [f"rows_{name}" for name in MODALITIES]
    counts += [name for name in others if name not in counts]
    numbers = ["started_unix_nano", "ended_unix_nano", "bytes", *counts]
    schema = label_rows.label_schema()
    for name in numbers:
        schema = schema.append(pa.field(name, pa.int64(), nullable=True))
    return schema.append(pa.field("path", pa.string(), nullable=False))


def _count(rows: list[dict[str, Json]], key: str) -> dict[str, int]:
    values = [row[key] for row in rows]
    return {value: values.count(value) for value in sorted(set(values))}


def incomplete_reason(directory: Path) -> str:
    path = directory / layout.INCOMPLETE_FILE
    if not path.exists():
        return "it was never finished, and nobody said why (still being written, or its process was killed)"
    try:
        return str(layout.read_json(path).get("reason", "none given"))
    except (DatasetError, AttributeError) as error:
        return f"unknown: {error}"


def stored_document(out: Path) -> Mapping[str, Any] | None:
    """The dataset.json there is; None when there is none or it is damaged. A newer one is never overwritten."""
    path = out / layout.DATASET_FILE
    try:
        document = layout.read_json(path)
    except DatasetError:
        return None
    if isinstance(document, dict) and "format_version" in document:
        layout.check_version(document, path)
        return document
    return None


def stored_table(out: Path) -> pa.Table | None:
    from pytest_anomod.dataset import tables

    try:
        return tables.read_parquet(out / layout.CASES_FILE)
    except DatasetError:
        return None
