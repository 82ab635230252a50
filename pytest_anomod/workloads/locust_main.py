"""Runs locust's own program in a process that can't connect beyond this machine."""

from __future__ import annotations

import sys
from typing import Any

from pytest_anomod.workloads.suite_address import is_loopback, refusal


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Python asks here before each connect, whichever library wants it."""
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not is_loopback(str(arguments[1][0])):
        raise refusal(str(arguments[1][0]))


if __name__ == "__main__":
    sys.addaudithook(_stay_here)
    from locust.main import main

    sys.exit(main())
