"""The command `anomod export`: choose cases, write them in a format, say what it could not hold."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.exporters import Losses
from pytest_anomod.model.errors import DatasetError, ScenarioError

if TYPE_CHECKING:
    from pytest_anomod.dataset.read import Dataset


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `anomod`."""
    parser = commands.add_parser("export", help="write a dataset in the format of another tool")
    parser.add_argument("path", help="root of the dataset, a URL too")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="its name; `anomod list` has them all")
    parser.add_argument("-o", "--out", type=local_directory, required=True, metavar="OUT", help="directory to make")
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="COLUMN=VALUE[,VALUE]",
        help="only cases with this in cases.parquet, such as verdict=effective or system=train_ticket; all must hold",
    )
    parser.set_defaults(run=run)


def local_directory(text: str) -> Path:
    """The directory that a command makes; a usage error for a URL, which would become a directory of that name."""
    if "://" in text:
        msg = f"{text} is a URL: name a directory of this machine, and copy it from there"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def run(arguments: argparse.Namespace) -> int:
    """Export and say what was written and what was not; DatasetError when it can't be done."""
    from pytest_anomod.dataset.read import load_dataset

    data = select(load_dataset(arguments.path), arguments.select)
    losses = export(data, arguments.to, arguments.out)
    written = [path for path in arguments.out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in written) / 1e6
    say = sys.stdout.write
    say(f"{losses.written} of {len(data)} cases as {arguments.to}: {len(written)} files, {size:,.1f} MB\n")
    for line in losses.lines():
        say(f"  {line}\n")
    return 0


def export(data: Dataset, name: str, out: Path) -> Losses:
    """Write the cases in the format of that name; `out` appears when all of it is there.

    DatasetError when there is no such format, `out` exists, or the format can hold none of the cases.
    """
    exporter = find(name)
    if not len(data):
        msg = f"no case of {data.path} is chosen, so there is nothing to export"
        raise DatasetError(msg)
    losses = Losses()
    with whole(out) as partial:
        exporter.export(data, partial, losses)
        if not losses.written:
            msg = f"{name} can hold none of the {len(data)} cases: {'; '.join(losses.lines())}"
            raise DatasetError(msg)
    return losses


def find(name: str) -> Any:
    """The exporter of that name; DatasetError with all names when there is none."""
    from pytest_anomod.model import catalog

    try:
        return catalog.find("exporters", name)
    except ScenarioError as error:
        msg = f"no format {name!r}; formats are {', '.join(sorted(catalog.offers('exporters')))}"
        raise DatasetError(msg) from error


@contextlib.contextmanager
def whole(out: Path) -> Iterator[Path]:
    """A directory to write into that takes the name `out` at the end; it goes when something fails.

    DatasetError when `out` exists already or can't be made.
    """
    if out.exists():
        msg = f"{out} exists; name a directory that does not, or remove it"
        raise DatasetError(msg)
    partial = out.with_name(f".{out.name}.partial")
    try:
        if partial.exists():  # of a run that was killed
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        yield partial
        partial.rename(out)
    except OSError as error:
        msg = f"{error.filename or out} can't be written: {error.strerror or error}; name another place"
        raise DatasetError(msg) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def select(data: Dataset, conditions: Sequence[str]) -> Dataset:
    """Only the cases that meet all conditions, each `column=value[,value]`; DatasetError when one can't be met."""
    rows = data.rows
    for condition in conditions:
        column, equals, text = condition.partition("=")
        known = sorted({key for row in data.rows for key in row})
        if not equals or column not in known:
            near = difflib.get_close_matches(column, known, n=3) or known
            msg = f"--select {condition}: write COLUMN=VALUE with a column of cases.parquet, such as {', '.join(near)}"
            raise DatasetError(msg)
        wanted = set(text.split(","))
        there = {_text(row.get(column)) for row in data.rows}
        if missing := sorted(wanted - there):
            some = ", ".join(sorted(there)[:12])
            msg = f"--select {condition}: no case has {column}={missing[0]}; there are {some}"
            raise DatasetError(msg)
        rows = tuple(row for row in rows if _text(row.get(column)) in wanted)
    if conditions and not rows:
        msg = f"no case of {data.path} meets all of {' '.join(conditions)}"
        raise DatasetError(msg)
    return dataclasses.replace(data, rows=rows, _cache={})


def _text(value: Any) -> str:
    """A value of the index as it is written on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
