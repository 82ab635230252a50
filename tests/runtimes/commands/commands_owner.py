"""Owns a session with the tiny system up, until it is killed: python commands_owner.py DIRECTORY."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from tiny_system import define_tiny

from pytest_anomod.runtimes.commands import teardown
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.safety.sessions import new_session

SHADY = """\
stock: env -i PORT=$PORT $(command -v python3) server.py stock
front: setsid sleep 300 & exec python3 server.py front $STOCK_URL
"""
"""One clears its environment, and with it our tag; one starts a process that leaves its session."""


def main(directory: str) -> None:
    """Bring it up, tell where it is, wait."""
    session = new_session(Path(directory), "owner", "main")
    deployment = CommandsRuntime().up(define_tiny(Path(directory), SHADY), session)
    found = teardown.processes_of(deployment.ref["tag"], deployment.directory)
    told = {"directory": str(session.directory), "host": deployment.document["host"]["pid"]}
    told["processes"] = list(found.items())
    told["ref"] = dict(deployment.ref)
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
