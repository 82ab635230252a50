"""Kills one service of a deployment again and again: --ref JSON --service S --period-s P --away-s A --deadline-s D.

It asks the deployment each time which process is the service now, so it never hits another; while there is none it
waits. For the first A seconds of each P it kills whatever comes back. It ends when told to, at its deadline, or when
the deployment can't be asked any more.
"""

from __future__ import annotations

import argparse
import json
import sys

from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.catalog import find
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.turns import take_turns


def main() -> int:
    """Parse the command line and kill until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--ref", "--service"):
        parser.add_argument(name, required=True)
    for name in ("--period-s", "--away-s", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    arguments = parser.parse_args()
    ref = json.loads(arguments.ref)
    deployment = find("runtimes", ref["runtime"]).attach(ref)

    def kill() -> None:
        if instance_of(deployment, arguments.service).state == "running":
            need(deployment, Lifecycle, arguments.service).kill()

    take_turns(kill, period_s=arguments.period_s, away_s=arguments.away_s, deadline_s=arguments.deadline_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
