"""kill -9 of a pytest whose system runs in a cluster, once for each kind of fault: how soon nothing of it is left.

scripts/with_kubernetes.sh python benchmarks/killed_in_kubernetes.py [--list] [FAULT ...]

Needs the cluster's node to have the image (`tox run -e kubernetes_killed` makes and imports it). What runs are killed
says killing.py; a fault that is refused in this cluster is not put in. Looked at: namespaces with all that is
in them, processes (ports handed on, watcher, programs of faults), locks and directories.
"""

from __future__ import annotations

import sys
from typing import Any

from killing import Left, Run, table
from outside import locks_held, processes_that_know

from pytest_anomod.host import cluster
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, Api


def belongings(run: Run, refs: list[Any]) -> Left:
    """All that a run has in the cluster and here."""
    api = Api(cluster.place())

    def there() -> list[str]:
        found = api.get("/api/v1/namespaces", labelSelector=DEPLOYMENT)["items"]
        lines = [f"namespace {one['metadata']['name']}" for one in found]
        lines += [f"process {pid}" for pid in processes_that_know(run.state)] + locks_held(run.state)
        return lines + [f"directory {path}" for path in (run.state / "sessions").glob("*")]

    return there


if __name__ == "__main__":
    sys.exit(table(__doc__, "kubernetes", belongings, within_s=15.0))
