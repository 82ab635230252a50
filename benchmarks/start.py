"""What the plugin costs a suite that does not use it: CPU of pytest's start with it, and with what it depends on.

    python benchmarks/start.py [--pairs 9]

Each row runs one empty test in a fresh directory, all rows in turns. Figures are milliseconds of CPU (wall time tells
little on a busy machine): the least, the median, and how far the least is above that of the row before. pytest also
reads the list of installed files of each plugin, 7 ms for a wheel of ours: that is in every row, but hardly there in an
editable install.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

NONE = ("anomod", "allure_pytest", "xdist", "xdist.looponfail")
ROWS = {"none of it": NONE, "with xdist": NONE[:2], "with allure-pytest": NONE[:1], "with pytest-anomod": ()}
"""Names of plugins that are switched off, by row."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9, help="how often each row is measured (%(default)s)")
    pairs = parser.parse_args().pairs
    took: dict[str, list[float]] = {row: [] for row in ROWS}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_empty.py").write_text("def test_nothing():\n    pass\n")
        for _ in range(pairs + 1):
            for row, off in ROWS.items():
                took[row].append(cpu_ms([word for name in off for word in ("-p", f"no:{name}")], directory))
    before = None
    for row, (_, *measured) in took.items():  # the first one compiles
        least = min(measured)
        more = "" if before is None else f"{least - before:+.0f}"
        print(f"{row:20} least {least:5.0f} ms  median {statistics.median(measured):5.0f} ms  {more}")
        before = least


def cpu_ms(options: list[str], directory: str) -> float:
    """CPU of one pytest run, user and system; bytecode is kept, as it is by default."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, cwd=directory, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


if __name__ == "__main__":
    main()
