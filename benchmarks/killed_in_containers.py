"""kill -9 of a pytest whose system runs in containers, once for each kind of fault: how soon nothing of it is left.

python benchmarks/killed_in_containers.py [--list] [FAULT ...]

Needs a Docker engine with the image, and root for the faults that limit a container. Each fault is that of
tests/conformance/samples.py, in SocialNetwork, and the run is killed with its whole process group once the fault's own
probe has seen it. Looked at: containers, networks, volumes, processes, ports, rules, interfaces, control groups,
mounts and directories, and of the run also locks and shared memory.
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
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("acceptance", "conformance", "runtimes/containers")]

from container_belongings import Belongings, rules  # noqa: E402
from outside import HEADER, Run, case_directories, pytest_words, scenario, wait_until_in  # noqa: E402
from outside import Belongings as OfProcesses  # noqa: E402
from samples import SAMPLES  # noqa: E402

from pytest_anomod.model import clock  # noqa: E402
from pytest_anomod.runtimes.docker import engine as docker_engine  # noqa: E402

WITHIN_S = 10.0
GIVE_UP_S = 60.0
KINDS = sorted(set(SAMPLES) - {"no_fault"})


def main() -> int:
    """Kill a run for each fault and print the table; 0 when each was clean in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT", default=KINDS)
    parser.add_argument("--list", action="store_true", help="print the names of all faults and end")
    options = parser.parse_args()
    if options.list:
        print(*KINDS)
        return 0
    if unknown := sorted(set(options.faults) - set(KINDS)):
        parser.error(f"no fault {', '.join(unknown)}; there are {', '.join(KINDS)}")
    in_time = True
    print(f"{'fault':28} {'had':>5} {'left':>5} {'seconds':>8}")
    for name in options.faults:
        with tempfile.TemporaryDirectory(prefix="killed-") as directory:
            had, left, seconds = kill_one(name, Path(directory))
        print(f"{name:28} {had:>5} {len(left):>5} {seconds:>8.1f}", flush=True)
        for line in left:
            print(f"    {line}")
        in_time = in_time and not left and seconds <= WITHIN_S
    return 0 if in_time else 1


def kill_one(name: str, directory: Path) -> tuple[int, list[str], float]:
    """How many things a run with that fault had, what of them is left in the end, and how many seconds it took."""
    fault, target = SAMPLES[name]
    (directory / "test_it.py").write_text(HEADER + scenario("test_it", f"fault={fault!r}, target={target!r}"))
    before = rules()
    state = directory / "state"
    os.environ["ANOMOD_STATE_DIR"] = str(state)
    run = Run(directory, *pytest_words("--anomod-runtime=docker", "test_it.py"), state=state)
    try:
        refs = wait_until_in(run, timeout_s=GIVE_UP_S * 2)
        engine = docker_engine.connect(docker_engine.engine_url())
        things = [Belongings.of(engine, refs[0]), OfProcesses.of(run, refs)]
        had = sum(len(each.left()) for each in things)
    finally:
        run.kill()
    killed, left = time.monotonic(), [""]

    def look() -> bool:
        left[:] = [line for each in things for line in each.left()]
        return not left

    with contextlib.suppress(TimeoutError):
        clock.wait_until(look, timeout_s=GIVE_UP_S, what="everything to be gone", every_s=0.1)
    seconds = time.monotonic() - killed
    left += [f"a chain more: {chain}" for chain in rules() if chain.startswith(":") and chain not in before]
    whole = [path for path in case_directories(directory / "anomod-dataset") if (path / "case.json").exists()]
    left += [f"taken for whole: {path}" for path in whole]
    return had, left, seconds


if __name__ == "__main__":
    sys.exit(main())
