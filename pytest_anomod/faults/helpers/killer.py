"""Kills one service of a deployment again and again: --ref JSON --service S --period-s P --away-s A --deadline-s D.

It asks the deployment each time which process is the service now, so it never hits another; while there is none it
waits. For the first A seconds of each P it kills whatever comes back. It ends when told to, at its deadline, or when
the deployment can't be asked any more.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time

from pytest_anomod.model.catalog import find
from pytest_anomod.model.errors import DeploymentError

PATIENCE = 20  # failed questions in a row, then the deployment is taken for gone
LOOK_EVERY_S = 0.1  # for a process that came back too early


def main() -> int:
    """Parse the command line and kill until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--ref", "--service"):
        parser.add_argument(name, required=True)
    for name in ("--period-s", "--away-s", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    arguments = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    ref = json.loads(arguments.ref)
    deployment = find("runtimes", ref["runtime"]).attach(ref)
    deadline, failures = time.monotonic() + arguments.deadline_s, 0
    begun = time.monotonic()
    while not over.is_set() and time.monotonic() < deadline and failures < PATIENCE:
        try:
            if deployment.instance(arguments.service).pid is not None:
                deployment.kill(arguments.service)
            failures = 0
        except (DeploymentError, TimeoutError):
            failures += 1  # it died between question and kill, or the host is busy
        now = time.monotonic()
        if now - begun < arguments.away_s:
            over.wait(LOOK_EVERY_S)
        else:
            over.wait(max(LOOK_EVERY_S, begun + arguments.period_s - now))
            begun = time.monotonic()
    return 0


if __name__ == "__main__":
    sys.exit(main())
