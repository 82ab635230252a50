"""Keeps tables of a MySQL locked: --ref JSON --service S --tables A,B --reads 0 --deadline-s D.

The locks are those of its session: they end with this program, however that ends.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading

from pytest_anomod.faults import _mysql
from pytest_anomod.model.catalog import find


def main() -> int:
    """Parse the command line and hold the locks until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--ref", "--service", "--tables"):
        parser.add_argument(name, required=True)
    for name in ("--reads", "--deadline-s"):
        parser.add_argument(name, type=float, required=True)
    arguments = parser.parse_args()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    ref = json.loads(arguments.ref)
    deployment = find("runtimes", ref["runtime"]).attach(ref)
    with _mysql.session(deployment, arguments.service) as session:
        session.lock(arguments.tables.split(","), reads=bool(arguments.reads))
        over.wait(arguments.deadline_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
