"""The command `anomod evaluate`: its options, progress, tables in the terminal, rows as Parquet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `anomod`."""
    parser = commands.add_parser("evaluate", help="score methods that rank causes or detect, on a dataset")
    parser.add_argument("path", help="root of the dataset, a URL too")
    parser.add_argument(
        "--method",
        action="append",
        metavar="M",
        help="a name (`anomod list`), module:function, or command:PROGRAM; score: before the last two for one that "
        "detects; may be given more than once (default: all on offer that are installed)",
    )
    parser.add_argument("--modalities", default="", metavar="A,B", help="grant only these (default: all there are)")
    parser.add_argument("--subsets", action="store_true", help="try every set of modalities, and say the share of each")
    parser.add_argument("--robustness", action="store_true", help="try with rows missing at random and with noise")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of lots, intervals, damage (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a row a case and trial as Parquet")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the tables, heat map and curves")
    parser.add_argument("--bin", type=float, default=1.0, metavar="S", help="length of a detector's bins (%(default)s)")
    parser.add_argument(
        "--alarm-shift", type=float, default=0.0, metavar="S", help="move the alarm from the moment of the fault"
    )
    parser.add_argument("--jobs", type=int, default=2, choices=(1, 2), help="processes (%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print; 1 when a method was left out."""
    from pytest_anomod.evaluation import page
    from pytest_anomod.evaluation.run import evaluate
    from pytest_anomod.evaluation.table import render
    from pytest_anomod.evaluation.trials import Options

    options = Options(
        modalities=tuple(name for name in arguments.modalities.split(",") if name),
        subsets=arguments.subsets,
        robustness=arguments.robustness,
        seed=arguments.seed,
        bin_s=arguments.bin,
        alarm_shift_s=arguments.alarm_shift,
    )
    methods = list(dict.fromkeys(arguments.method or offered()))
    results = evaluate(arguments.path, methods, options, jobs=arguments.jobs, say=progress(sys.stderr))
    if arguments.out:
        write(results.rows, arguments.out)
    if arguments.html:
        page.write(results, trivial(methods), arguments.html)
    sys.stdout.write(render(results, trivial(methods)) + "\n")
    sys.stdout.write(f"{len(results.rows)} trials in {results.seconds:.0f} s\n")
    return 1 if results.left_out else 0


def offered() -> list[str]:
    """Names of the methods on offer whose libraries are here."""
    from pytest_anomod.model import catalog

    return [name for name, method in catalog.offers("methods").items() if getattr(method, "is_installed", True)]


def trivial(methods: list[str]) -> list[str]:
    """Names of those that are trivial rules."""
    from pytest_anomod.model import catalog

    known = catalog.offers("methods")
    return [name for name in methods if getattr(known.get(name), "trivial", False)]


def progress(stream: Any) -> Callable[[int, int], None]:
    """Says how many cases are done: in one line of a terminal, else once for each tenth."""
    tenths: set[int] = set()

    def say(done: int, all_: int) -> None:
        if stream.isatty():
            stream.write(f"\r{done} of {all_} cases" + ("\n" if done == all_ else ""))
        elif (tenth := 10 * done // all_) not in tenths:
            tenths.add(tenth)
            stream.write(f"{done} of {all_} cases\n")
        stream.flush()

    return say


def write(rows: Any, path: Path) -> None:
    """Write the rows; DatasetError when the file can't be written."""
    import pandas as pd

    from pytest_anomod.model.errors import DatasetError

    try:
        pd.DataFrame(list(rows)).to_parquet(path, index=False)
    except OSError as error:
        msg = f"--out {path}: {error.strerror or error}; name a file in a directory that is there"
        raise DatasetError(msg) from error
