"""The process of a target: all that is below it, how long it has been there, whether it was killed just now."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import clock

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Instance


def tree(pid: int | None) -> list[Any]:
    """A process and all that it has started, as psutil has them; empty while there is none."""
    import psutil

    if pid is not None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
    return []


def seconds_old(pid: int | None) -> float | None:
    """Seconds since a process started; None when it is gone or dead."""
    import psutil

    if pid is not None:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                return round(clock.now_ns() / 1e9 - process.create_time(), 3)
    return None


def was_killed(instance: Instance, young_s: float) -> tuple[bool, float | None]:
    """Whether the process of an instance is gone, or was started again less than `young_s` ago; its age in seconds.

    One that was stopped in order was not killed. Of a process that is none of this machine's the runtime tells the
    start time in Unix seconds, if any; without one it is taken to be old.
    """
    age_s = seconds_old(instance.pid)
    if instance.state == "running" and instance.pid is None:
        if instance.start_time is None:
            return False, None
        age_s = round(clock.now_ns() / 1e9 - instance.start_time, 3)
    gone = age_s is None or (instance.restarts > 0 and age_s < young_s)
    return instance.state != "stopped" and gone, age_s
