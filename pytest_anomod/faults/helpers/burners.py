"""Burns CPU beside a service, in whatever budget they share: `burners.py --burners N --deadline-s S`.

A stand-alone program of the standard library. Its children only count, and die with it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys
import threading


def main() -> int:
    """Parse the command line, fork the children, wait to be told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burners", type=int, required=True)
    parser.add_argument("--deadline-s", type=float, required=True)
    arguments = parser.parse_args()
    over = threading.Event()
    children = [_burner() for _ in range(arguments.burners)]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    over.wait(arguments.deadline_s)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return 0


def _burner() -> int:
    """Fork a child that only counts."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    while os.getppid() == parent:
        for _ in range(50_000):
            pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
