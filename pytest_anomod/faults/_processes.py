"""What probes ask of a process of the target: how long it has been there."""

from __future__ import annotations

import contextlib

from pytest_anomod.model import clock


def seconds_old(pid: int | None) -> float | None:
    """Seconds since a process started; None when it is gone or dead."""
    import psutil

    if pid is not None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                return round(clock.now_ns() / 1e9 - process.create_time(), 3)
    return None
