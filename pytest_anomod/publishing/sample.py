"""A small dataset out of a large one: of each system a case a scenario, the smallest first, as many as fit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_anomod.dataset import index, layout
from pytest_anomod.dataset.files import write_json
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json

MAXIMUM_BYTES = 50_000_000
ROOM = 1_000_000
"""Left for the index."""


def write_sample(out: Path, root: Path, rows: Sequence[Mapping[str, Json]], created_ns: int) -> int:
    """Copy the chosen cases into `out` and index them; how many. DatasetError when not one fits."""
    chosen = list(choose(rows))
    if not chosen:
        msg = f"no case of {root} is below {MAXIMUM_BYTES / 1e6:.0f} MB, so there can be no sample of that size"
        raise DatasetError(msg)
    for row in chosen:
        _copy(root / row["path"], out / row["path"])
    write_json(
        out / layout.DATASET_FILE, {"format_version": layout.FORMAT_VERSION, "created_unix_nano": created_ns}
    )  # the index keeps the moment that it finds: ours would differ from run to run
    index.write_index(out)
    return len(chosen)


def _copy(case: Path, out: Path) -> None:
    """Copy the files of a case, which may lie in an object store."""
    for file in case.rglob("*"):
        if file.is_file():
            copy = out / file.relative_to(case).as_posix()
            copy.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, 2**20)


def choose(rows: Sequence[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    """The smallest case of each scenario, systems in turn, as long as there is room."""
    smallest: dict[tuple[str, str], Mapping[str, Json]] = {}
    for row in sorted(rows, key=lambda row: (row["bytes"], row["case_id"])):
        if row.get("usable") is not False and row["verdict"] != "contaminated":
            smallest.setdefault((row["system"], row["scenario"]), row)
    places: dict[str, int] = {}
    turns = []
    for row in smallest.values():
        places[row["system"]] = places.get(row["system"], 0) + 1
        turns.append((places[row["system"]], row["system"], row))
    left = MAXIMUM_BYTES - ROOM
    for _, _, row in sorted(turns, key=lambda turn: turn[:2]):
        if _size(row) <= left:
            left -= _size(row)
            yield row


def _size(row: Mapping[str, Json]) -> int:
    """Bytes of a case's files, and room for its case.json, which does not count itself."""
    return int(row["bytes"]) + 100_000
