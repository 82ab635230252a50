"""kill -9 of a pytest whose system runs in a cluster, once for each kind of fault: how soon nothing of it is left.

scripts/with_kubernetes.sh python benchmarks/killed_in_kubernetes.py [FAULT ...]

Needs the cluster's node to have the image (`tox run -e kubernetes_killed` makes and imports it). Each fault is that of
tests/conformance/samples.py, in SocialNetwork, and the run is killed with its whole process group once the fault's own
probe has seen it. Faults that the runtime refuses in this cluster are told with the reason. Looked at: namespaces with
all that is in them, processes (ports handed on, watcher, programs of faults), directories, and locks.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("acceptance", "conformance")]

from outside import HEADER, Run, case_directories, processes_that_know, pytest_words, scenario, wait_until_in  # noqa: E402
from samples import SAMPLES  # noqa: E402

from pytest_anomod.host import cluster  # noqa: E402
from pytest_anomod.model import clock  # noqa: E402
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, Api  # noqa: E402

WITHIN_S = 15.0
GIVE_UP_S = 90.0
KINDS = sorted(set(SAMPLES) - {"no_fault"})


def main() -> int:
    """Kill a run for each fault and print the table; 0 when each was clean in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", default=KINDS)
    options = parser.parse_args()
    if unknown := sorted(set(options.faults) - set(KINDS)):
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join(KINDS)}")
    in_time = True
    print(f"{'fault':28} {'had':>5} {'left':>5} {'seconds':>8}")
    for name in options.faults:
        with tempfile.TemporaryDirectory(prefix="killed-") as directory:
            try:
                had, left, seconds = kill_one(name, Path(directory))
            except RefusedError as error:
                print(f"{name:28} refused: {error}", flush=True)
                continue
        print(f"{name:28} {had:>5} {len(left):>5} {seconds:>8.1f}", flush=True)
        for line in left:
            print(f"    {line}")
        in_time = in_time and not left and seconds <= WITHIN_S
    return 0 if in_time else 1


class RefusedError(Exception):
    """The runtime does not put the fault in here."""


def kill_one(name: str, directory: Path) -> tuple[int, list[str], float]:
    """How many things a run with that fault had, what of them is left in the end, and how many seconds it took.

    RefusedError for a fault that is refused at collection.
    """
    fault, target = SAMPLES[name]
    (directory / "test_it.py").write_text(HEADER + scenario("test_it", f"fault={fault!r}, target={target!r}"))
    api, state = Api(cluster.place()), directory / "state"
    os.environ["ANOMOD_STATE_DIR"] = str(state)

    def there() -> list[str]:
        found = api.get("/api/v1/namespaces", labelSelector=DEPLOYMENT)["items"]
        lines = [f"namespace {one['metadata']['name']}" for one in found]
        lines += [f"process {pid}" for pid in processes_that_know(state)]
        return lines + [f"directory {path}" for path in (state / "sessions").glob("*")]

    run = Run(directory, *pytest_words("--anomod-runtime=kubernetes", "-rs", "test_it.py"), state=state)
    try:
        wait_until_in(run, timeout_s=GIVE_UP_S * 2)
        had = len(there())
    except AssertionError:
        skipped = [line for line in run.output.splitlines() if line.startswith("SKIPPED")]
        if not skipped:
            raise
        raise RefusedError(skipped[0].partition(": ")[2]) from None
    finally:
        run.kill()
    killed, left = time.monotonic(), [""]

    def look() -> bool:
        left[:] = there()
        return not left

    with contextlib.suppress(TimeoutError):
        clock.wait_until(look, timeout_s=GIVE_UP_S, what="everything to be gone", every_s=0.1)
    seconds = time.monotonic() - killed
    whole = [path for path in case_directories(directory / "anomod-dataset") if (path / "case.json").exists()]
    return had, left + [f"taken for whole: {path}" for path in whole], seconds


if __name__ == "__main__":
    sys.exit(main())
