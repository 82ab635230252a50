"""The table of a file: a line for each experiment, and one for each part of it of which there is something to say."""

from __future__ import annotations

import shutil
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
_KEY = 36
MARKS = {Says.DOES: "does   ", Says.PARTLY: "partly ", Says.REFUSED: "refused"}


def remarks_of(found: FoundFile) -> list[Remark]:
    """All that is said of a file: for each experiment first what it becomes, then what is said of its parts."""
    return [remark for experiment in found.experiments for remark in _of_experiment(experiment)]


def _of_experiment(experiment: Experiment) -> Iterator[Remark]:
    tests = "; ".join(
        f"{call(one.fault)} on {one.target}" + (", skipped" if one.skip else "") for one in experiment.planned
    )
    yield Remark(line=experiment.line, key=experiment.title, says=experiment.says, why=tests or "no test comes of it")
    parts = sorted(experiment.remarks, key=lambda remark: remark.line)
    yield from (Remark(line=one.line, key=f"  {one.key}", says=one.says, why=one.why) for one in parts)


def render(path: Path, remarks: Iterable[Remark], width: int = 0) -> str:
    """The table as text for a terminal: line, what it says, what stands there, why; long reasons go on below."""
    width = width or max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
    rows = list(remarks)
    lines = [str(path)]
    for remark in rows:
        head = f"{remark.line or '':>5}  {MARKS[remark.says]}  "
        key = remark.key
        wraps = len(key) > _KEY
        begin = head + (key if wraps else f"{key:{_KEY}}")
        indent = " " * (len(head) + _KEY + 2)
        why = textwrap.wrap(remark.why, max(30, width - len(indent)))
        if wraps:
            lines += [begin.rstrip(), *(indent + part for part in why)]
        else:
            lines += [f"{begin}  {part}" if not number else indent + part for number, part in enumerate(why or [""])]
    return "\n".join(line.rstrip() for line in lines)
