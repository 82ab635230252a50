"""The table of a file: a line for each experiment, and one for each part of it that has a remark."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.importers.render import call
from pytest_anomod.model.remark import Remark, Says

if TYPE_CHECKING:
    from pytest_anomod.importers.found import Experiment
    from pytest_anomod.importers.reading import FoundFile

_WIDEST, _NARROWEST = 140, 80
_KEY = 48
_LEAST = 50
"""A reason gets at least so many columns."""
MARKS = {Says.DOES: "does   ", Says.PARTLY: "partly ", Says.REFUSED: "refused"}
_HEAD = 16
"""Columns of the line and of what becomes of it."""
_COLOURS = {Says.DOES: "32", Says.PARTLY: "33", Says.REFUSED: "31"}


def remarks_of(found: FoundFile) -> list[Remark]:
    """All that is said of a file: for each experiment first what it becomes, then what is said of its parts."""
    return [remark for experiment in found.experiments for remark in _of_experiment(experiment)]


def _of_experiment(experiment: Experiment) -> Iterator[Remark]:
    tests = "; ".join(
        f"{call(one.fault, one.said)} on {one.target}" + (", skipped" if one.skip else "") for one in experiment.planned
    )
    yield Remark(
        line=experiment.line,
        key=experiment.title,
        says=experiment.says,
        why=tests or ("no test comes of it" if experiment.says is Says.REFUSED else "nothing to put in"),
    )
    parts = sorted(experiment.remarks, key=lambda remark: remark.line)
    if experiment.says is Says.REFUSED:  # how the rest would have been done does not matter then
        parts = [remark for remark in parts if remark.says is Says.REFUSED]
    yield from (Remark(line=one.line, key=f"  {one.key}", says=one.says, why=one.why) for one in parts)


def render(path: Path, remarks: Iterable[Remark], width: int = 0, *, colour: bool = False) -> str:
    """The table as text: line, what becomes of it, what stands there, why; long reasons go on below."""
    width = width or max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
    rows = list(remarks)
    column = min(_KEY, max((len(remark.key) for remark in rows), default=0))
    beside = _HEAD + column + 2
    if width - beside < _LEAST:  # too narrow for two columns: the reason goes below
        column, beside = 0, _HEAD + 4
    lines = [f"\x1b[1m{path}\x1b[0m" if colour else str(path)]
    for remark in rows:
        mark = f"\x1b[{_COLOURS[remark.says]}m{MARKS[remark.says]}\x1b[0m" if colour else MARKS[remark.says]
        begin = f"{remark.line or '':>5}  {mark}  {remark.key:{column}}"
        why = textwrap.wrap(remark.why, width - beside, break_on_hyphens=False) or [""]
        lines.append(begin if len(remark.key) > column else f"{begin}  {why.pop(0)}")
        lines += [" " * beside + part for part in why]
    return "\n".join(line.rstrip() for line in lines)


def colours() -> bool:
    """Whether to print colours: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
