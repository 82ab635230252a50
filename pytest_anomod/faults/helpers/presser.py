"""Has a service run out of memory again and again: --ref JSON --service S --spare-mb N --deadline-s D.

A container that is started again has no limit, and nothing that fills it: both are put in again as soon as it runs.
It ends when told to, at its deadline, or when the deployment can't be asked any more.
"""

from __future__ import annotations

import argparse
import json
import sys

from pytest_anomod.faults import _pressure
from pytest_anomod.model.catalog import find
from pytest_anomod.model.turns import take_turns

LOOK_EVERY_S = 0.1


def main() -> int:
    """Parse the command line and press until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--ref", "--service"):
        parser.add_argument(name, required=True)
    for name in ("--spare-mb", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    arguments = parser.parse_args()
    ref = json.loads(arguments.ref)
    deployment = find("runtimes", ref["runtime"]).attach(ref)

    def press() -> None:
        _pressure.press(deployment, arguments.service, arguments.spare_mb, "overrun")

    take_turns(press, period_s=LOOK_EVERY_S, away_s=0, deadline_s=arguments.deadline_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
