"""What the benchmarks share that kill -9 a pytest with a fault in: one run a fault, and the table of what is left.

Each fault is that of tests/conformance/samples.py, in SocialNetwork, and the run is killed with its whole process group
once the fault's own probe has seen it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / part) for part in ("acceptance", "conformance")]

from outside import HEADER, Run, case_directories, pytest_words, scenario, wait_until_in  # noqa: E402
from samples import SAMPLES  # noqa: E402

from pytest_anomod.model import clock  # noqa: E402

KINDS = sorted(set(SAMPLES) - {"no_fault"})
Left = Callable[[], list[str]]
"""What is there of a run now, a line each."""


TELLING = ("SKIPPED", "> ", "ERROR")
"""How lines of a run begin that say why its fault was not put in."""


class NotInError(Exception):
    """The run ended before its fault was in: it is refused, or fails."""


def table(doc: str, runtime: str, belongings: Callable[[Run, list[Any]], Left], *, within_s: float) -> int:
    """Kill a run for each fault and print the table; 0 when each that was in was clean within so many seconds.

    A fault that was not put in is told with the reason; 1 if none was. `doc` is the program's own text; `belongings` is
    asked once the fault is in, with the run and the refs of its deployments.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", default=KINDS)
    parser.add_argument("--list", action="store_true", help="print the names of all faults and end")
    options = parser.parse_args()
    if options.list:
        print(*KINDS)
        return 0
    if unknown := sorted(set(options.faults) - set(KINDS)):
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join(KINDS)}")
    clean = []
    print(f"{'fault':28} {'had':>5} {'left':>5} {'seconds':>8}")
    for name in options.faults:
        with tempfile.TemporaryDirectory(prefix="killed-") as directory:
            try:
                had, left, seconds = _kill(name, Path(directory), runtime, belongings, within_s)
            except NotInError as error:
                print(f"{name:28} not put in: {error}", flush=True)
                continue
        print(f"{name:28} {had:>5} {len(left):>5} {seconds:>8.1f}", flush=True)
        for line in left:
            print(f"    {line}")
        clean.append(not left and seconds <= within_s)
    return 0 if clean and all(clean) else 1


def _kill(
    name: str, directory: Path, runtime: str, belongings: Callable[[Run, list[Any]], Left], within_s: float
) -> tuple[int, Sequence[str], float]:
    """How many things a run with that fault had, what of them is left in the end, and how many seconds it took."""
    fault, target = SAMPLES[name]
    (directory / "test_it.py").write_text(HEADER + scenario("test_it", f"fault={fault!r}, target={target!r}"))
    state = directory / "state"
    os.environ["ANOMOD_STATE_DIR"] = str(state)
    run = Run(directory, *pytest_words(f"--anomod-runtime={runtime}", "-rs", "test_it.py"), state=state)
    try:
        there = belongings(run, wait_until_in(run, timeout_s=180))
        had = len(there())
    except AssertionError:
        lines = run.output.splitlines()
        raise NotInError(next((line for line in lines if line.startswith(TELLING)), run.output)) from None
    finally:
        run.kill()
    killed, left = time.monotonic(), [""]

    def look() -> bool:
        left[:] = there()
        return not left

    with contextlib.suppress(TimeoutError):
        clock.wait_until(look, timeout_s=6 * within_s, what="everything to be gone", every_s=0.1)
    seconds = time.monotonic() - killed
    whole = [path for path in case_directories(directory / "anomod-dataset") if (path / "case.json").exists()]
    return had, [*left, *(f"taken for whole: {path}" for path in whole)], seconds
