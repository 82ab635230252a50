"""kill -9 of a pytest whose system runs in containers, once for each kind of fault: how soon nothing of it is left.

python benchmarks/killed_in_containers.py [--list] [FAULT ...]

Needs a Docker engine with the image, and root for the faults that limit a container. What runs are killed says
killing.py. Looked at: containers, networks, volumes, processes, ports, rules, interfaces, control groups, mounts and
directories, and of the run also locks and shared memory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from killing import Left, Run, table
from outside import Belongings as OfProcesses

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "runtimes" / "containers"))

from container_belongings import Belongings, rules

from pytest_anomod.runtimes.docker import engine as docker_engine

BEFORE = frozenset(rules())


def belongings(run: Run, refs: list[Any]) -> Left:
    """All that a run has in the engine and here; chains of rules that were not there before any run are of one, too."""
    engine = docker_engine.connect(docker_engine.engine_url())
    things = [Belongings.of(engine, refs[0]), OfProcesses.of(run, refs)]

    def there() -> list[str]:
        chains = [f"a chain more: {chain}" for chain in rules() if chain.startswith(":") and chain not in BEFORE]
        return [line for each in things for line in each.left()] + chains

    return there


if __name__ == "__main__":
    sys.exit(table(__doc__, "docker", belongings, within_s=10.0))
