"""Where things lie in a dataset: file names, directory names, and how cases are found; standard library only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast
from urllib.parse import quote

from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json

FORMAT_VERSION = 1
"""Version of the layout and tables; readers refuse what is newer."""

DATASET_FILE = "dataset.json"
CASES_FILE = "cases.parquet"
CASE_FILE = "case.json"
INCOMPLETE_FILE = "incomplete.json"
LABEL_FILE = "label.parquet"
TIMELINE_FILE = "timeline.json"
JOURNAL_FILE = "journal.json"
SCENARIO_FILE = "scenario.json"
EXPERIMENT_FILE = "experiment.json"
REQUIRED_FILES = (SCENARIO_FILE, EXPERIMENT_FILE, JOURNAL_FILE, TIMELINE_FILE, LABEL_FILE)
"""What a case holds besides the tables of its modalities and case.json."""

CASE_PATTERN = "system=*/scenario=*/case=*"


def place(path: str | os.PathLike[str]) -> Path:
    """A dataset's root: a directory of this machine, or of an object store where `path` is a URL such as s3://...

    Stores are for reading. DatasetError when the extra that knows of them is not installed.
    """
    if "://" not in str(path):
        return Path(path)
    try:
        from upath import UPath
    except ImportError as error:
        msg = f"{path} is a URL: to read it, pip install 'pytest-anomod[remote]' (and the store's own package, as s3fs)"
        raise DatasetError(msg) from error
    try:
        return cast(Path, UPath(path))  # it answers to all that readers ask of a Path
    except (ImportError, ValueError) as error:
        msg = f"{path} can't be read: {error}"
        raise DatasetError(msg) from error


def case_path(system: str, scenario: str, case_id: str) -> Path:
    """The directory of a case below the dataset's root; odd characters are percent-encoded, as Hive readers expect."""
    parts = {"system": system, "scenario": scenario, "case": case_id}
    for key, value in parts.items():
        if not value or len(quote(value, safe="")) > 200:
            msg = f"{key} name {value!r} can't be a directory name: it must have 1 to 200 characters"
            raise DatasetError(msg)
    return Path(*(f"{key}={quote(value, safe='')}" for key, value in parts.items()))


def case_directories(root: Path) -> list[Path]:
    """All case directories below a dataset's root, complete or not, in order of path."""
    return sorted(path for path in root.glob(CASE_PATTERN) if path.is_dir())


def is_complete(directory: Path) -> bool:
    """True when the case was finished: its case.json is there."""
    return (directory / CASE_FILE).is_file()


def read_json(path: Path) -> Json:
    """The content of a JSON file; DatasetError when it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = f"{path} is missing; fetch the dataset again, or remove the case it belongs to"
        raise DatasetError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path} can't be read as JSON ({error}); fetch it again, or remove the case it belongs to"
        raise DatasetError(msg) from error


def read_manifest(directory: Path) -> dict[str, Json]:
    """The case.json of a complete case; DatasetError when it is damaged or of a newer format."""
    path = directory / CASE_FILE
    manifest = read_json(path)
    check_version(manifest, path)
    missing = [key for key in ("case_id", "system", "scenario", "verdict", "tables", "files") if key not in manifest]
    if missing:
        msg = f"{path} lacks {', '.join(missing)}; it is damaged: fetch it again, or remove the case"
        raise DatasetError(msg)
    return dict(manifest)


def check_version(document: Json, path: Path) -> None:
    """Raise DatasetError when a document of ours has no format version or a newer one than this package reads."""
    version = document.get("format_version") if isinstance(document, Mapping) else None
    if not isinstance(version, int):
        msg = f"{path} has no format_version; it was not written by pytest-anomod"
        raise DatasetError(msg)
    if version > FORMAT_VERSION:
        msg = (
            f"{path} has format version {version}, this pytest-anomod reads up to {FORMAT_VERSION}; "
            "upgrade with `pip install -U pytest-anomod`"
        )
        raise DatasetError(msg)


def absent(manifest: Mapping[str, Json]) -> Mapping[str, str]:
    """Modalities that a case lacks because its system has no source of them, and why."""
    return manifest.get("absent") or {}


def may_be_silent(manifest: Mapping[str, Json]) -> frozenset[str]:
    """Modalities of which nothing had to come: a window without rows is no loss."""
    return frozenset(manifest.get("may_be_silent") or ())


def table_names(manifest: Mapping[str, Json]) -> Iterator[str]:
    """Names of the modalities a case has tables of."""
    yield from manifest["tables"]
