"""How long a system takes to come up and go down, against the start of one bare Python that imports the same libraries.

python benchmarks/deploy.py [--system social_network] [--runtime process|docker] [--times 3]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_anomod.model import catalog
from pytest_anomod.safety.guardian import ensure_guardian
from pytest_anomod.safety.sessions import end_session, new_session

LIBRARIES = "asyncio, asyncpg, coverage, httptools, orjson, prometheus_client, psutil, uvloop"


def main() -> None:
    """Measure and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="social_network")
    parser.add_argument("--runtime", default="process", choices=("process", "docker"))
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    system, runtime = catalog.find("systems", options.system), catalog.find("runtimes", options.runtime)
    up, down, bare = [], [], []
    with tempfile.TemporaryDirectory() as out:
        session = new_session(Path(out), run_id="benchmark", worker="main")
        ensure_guardian(session.directory)
        try:
            for _ in range(options.times):
                bare.append(timed(lambda: subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)))
                deployments = []
                up.append(timed(lambda kept=deployments: kept.append(runtime.up(system, session))))
                down.append(timed(lambda kept=deployments: runtime.down(kept[0])))
        finally:
            end_session(session)
    one = statistics.median(bare)
    print(f"one bare Python with the libraries: {one:.2f} s")
    print(
        f"{system.name}, {len(system.services)} services and stores, seeded and healthy: {statistics.median(up):.2f} s"
    )
    print(f"ratio {statistics.median(up) / one:.1f}; down again in {statistics.median(down):.2f} s")


def timed(work) -> float:
    """Wall seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
