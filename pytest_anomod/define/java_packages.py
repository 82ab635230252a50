"""Finds the packages that are a Java service's own, by its sources."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

MOST_FILES = 2_000
_HEAD = 16_384
_LEFT_OUT = {"build", "out", "target", "test", "tests", "node_modules", "venv", "generated"}
_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;?\s*$", re.MULTILINE)


def java_packages(directory: Path) -> tuple[str, ...]:
    """The shortest packages that hold all Java and Kotlin files below a directory.

    () where there are none, or files without a package: then nothing is told by packages.
    """
    found = {_package(path) for path, _ in zip(_sources(directory), range(MOST_FILES), strict=False)}
    if not found or "" in found:
        return ()
    roots = sorted(one for one in found if not any(one.startswith(f"{other}.") for other in found))
    common = os.path.commonpath([one.replace(".", "/") for one in roots]).replace("/", ".")
    return (common,) if "." in common else tuple(roots)


def _sources(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith((".java", ".kt")))


def _package(path: Path) -> str:
    """The package of a file, "" for none; of a file that can't be read, none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = _PACKAGE.search(file.read(_HEAD))
    except OSError:
        return ""
    return found.group(1) if found else ""
