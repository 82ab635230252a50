"""Takes hold of a running system and pauses its service, until it is killed: running_owner.py DIRECTORY URL PID."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from pytest_anomod.define.running import running_system
from pytest_anomod.faults import PauseService
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.runtimes.running import RunningRuntime
from pytest_anomod.safety.sessions import new_session


def main(directory: str, url: str, pid: str) -> None:
    """Put the fault in, say so, wait."""
    session = new_session(Path(directory), "owner", "main")
    system = running_system("theirs", entry=url, pids={"stock": int(pid)})
    deployment = RunningRuntime().up(system, session)
    NativeInjector().inject(PauseService(), deployment, "stock")
    sys.stdout.write(json.dumps({"directory": str(session.directory)}) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
