"""Runs the demo replica in the foreground, as `anomod up` does."""

from __future__ import annotations

import sys

from pytest_anomod.model.system import Replica, System
from pytest_anomod.runtimes.process.runtime import ProcessRuntime

DEMO = System(name="demo", services=(), entry="front", journeys=(), deploys=(Replica(package="demo.system"),))


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


say("starting")
sys.exit(ProcessRuntime().up_in_foreground(DEMO, port=int(sys.argv[1]) if sys.argv[1:] else None, say=say))
