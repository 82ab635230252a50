"""What the plugin costs a suite that does not use it: pytest's start with it installed against without it.

    python benchmarks/start.py [--pairs 7]

Both run one empty test in a fresh directory, in turns; medians in milliseconds, and their difference.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_empty.py").write_text("def test_nothing():\n    pass\n")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        without, with_it = [], []
        for _ in range(pairs + 1):
            without.append(run([*argv, "-p", "no:anomod"], directory))
            with_it.append(run(argv, directory))
    off, on = statistics.median(without[1:]) * 1e3, statistics.median(with_it[1:]) * 1e3
    print(f"without {off:.0f} ms, with {on:.0f} ms: {on - off:+.0f} ms, ratio {on / off:.3f}")


def run(argv: list[str], directory: str) -> float:
    """Wall seconds of one pytest run."""
    start = time.perf_counter()
    subprocess.run(argv, cwd=directory, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
