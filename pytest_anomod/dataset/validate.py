"""Checks a dataset on disk: is every case whole, consistent, aligned, and free of leaks and secrets?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.dataset import files, index, layout, tables
from pytest_anomod.dataset.problem import Problem
from pytest_anomod.dataset.read import check_root
from pytest_anomod.dataset.validate_case import CaseChecker
from pytest_anomod.dataset.validate_telemetry import check_telemetry
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DatasetError

__all__ = ["Problem", "validate"]

COMPANIONS = frozenset(
    {"README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "croissant.json", ".git", ".gitattributes", ".gitignore"}
    | {"SHA256SUMS", "versions.json", "splits.csv", "sample"}
)
"""What may lie beside a dataset's own files."""


def validate(path: str | os.PathLike[str], modalities: Mapping[str, Any] | None = None) -> list[Problem]:
    """All problems of the dataset at `path`; an empty list when it is sound.

    `modalities` (name -> Modality) say what tables must look like; by default those of the catalog. DatasetError
    when there is no dataset at `path`, or it is of a newer format.
    """
    root = layout.place(path)
    check_root(root)
    known = catalog.offers("modalities") if modalities is None else modalities
    schemas = {name: tables.table_schema(modality) for name, modality in known.items()}
    problems = list(_foreign(root))
    seen: dict[str, Path] = {}
    for directory in layout.case_directories(root):
        where = directory.relative_to(root).as_posix()
        if not layout.is_complete(directory):
            problems.append(_incomplete(directory, where))
            continue
        try:
            checker = CaseChecker(root, directory, schemas)
            problems.extend(checker.check())
            problems.extend(check_telemetry(checker))
            problems.extend(_duplicate(checker.case_id, directory, root, seen))
        except DatasetError as error:
            problems.append(Problem(path=where, what=str(error), todo="fetch the case again, or remove it"))
    problems.extend(_index(root))
    return problems


def _foreign(root: Path) -> Iterator[Problem]:
    """Entries that are no part of a dataset, down to the case directories."""
    own = {layout.DATASET_FILE, layout.CASES_FILE} | COMPANIONS
    levels = (("system=", [root]), ("scenario=", root.glob("system=*")), ("case=", root.glob("system=*/scenario=*")))
    for prefix, parents in levels:
        for parent in sorted(parents):
            for entry in sorted(parent.iterdir()) if parent.is_dir() else ():
                if entry.is_dir() and entry.name.startswith(prefix):
                    continue
                if parent == root and (entry.name in own or entry.suffix == ".zip"):
                    continue
                yield _stray(entry, root)


def _stray(entry: Path, root: Path) -> Problem:
    where = entry.relative_to(root).as_posix()
    if files.is_temporary(entry):
        return Problem(path=where, what="is left over from a write that was interrupted", todo="remove it")
    return Problem(path=where, what="does not belong to a dataset", todo="move it elsewhere")


def _incomplete(directory: Path, where: str) -> Problem:
    return Problem(
        path=where,
        what=f"is incomplete, it has no {layout.CASE_FILE}: {index.incomplete_reason(directory)}",
        todo="remove it unless it is being written right now; readers pass over it",
    )


def _duplicate(case_id: str, directory: Path, root: Path, seen: dict[str, Path]) -> Iterator[Problem]:
    if case_id in seen:
        yield Problem(
            path=directory.relative_to(root).as_posix(),
            what=f"has the case id {case_id}, as has {seen[case_id].relative_to(root).as_posix()}",
            todo="keep one of them: a case id is unique in a dataset",
        )
    seen.setdefault(case_id, directory)


def _index(root: Path) -> Iterator[Problem]:
    """Whether dataset.json and cases.parquet say what is there."""
    todo = "write it anew with `anomod index`; pytest does at the end of each run"
    table, document = index.build_index(root)
    for name, stored, wanted in (
        (layout.CASES_FILE, index.stored_table(root), table),
        (layout.DATASET_FILE, index.stored_document(root), document),
    ):
        if not (root / name).exists():
            yield Problem(path=name, what="is missing", todo=todo)
        elif stored is None:
            yield Problem(path=name, what="is damaged", todo=todo)
        elif stored != wanted:
            yield Problem(path=name, what="is stale: it does not say what the cases say", todo=todo)
