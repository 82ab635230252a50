"""The disk below a directory, measured: its kind of file system, how long small writes wait, what a program writes."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.capability import Volume
from pytest_anomod.model.runtime import need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_FLUSH = getattr(os, "fdatasync", os.fsync)
_WRITES, _AT_MOST_S = 7, 1.0


def of(deployment: Deployment, target: str) -> Path:
    """A directory on the disk that a target writes to."""
    return need(deployment, Volume, target).directory()


def small_writes_s(directory: Path) -> list[float]:
    """Sorted seconds of a few small writes that wait for the disk; they overwrite a block, so no journal is written.

    The file has no name while it is used. On a disk that makes each wait for long they are fewer, at least one.
    """
    import tempfile

    with tempfile.TemporaryFile(dir=directory) as file:
        os.pwrite(file.fileno(), b"\0" * 4096, 0)
        os.fsync(file.fileno())
        times: list[float] = []
        until = clock.monotonic_s() + _AT_MOST_S
        while len(times) < _WRITES and (not times or clock.monotonic_s() < until):
            clock.sleep(0.01)
            began = clock.monotonic_s()
            os.pwrite(file.fileno(), b"\1" * 4096, 0)
            _FLUSH(file.fileno())
            times.append(clock.monotonic_s() - began)
    return sorted(times)


def lower(times: list[float]) -> float:
    """The lower quartile of sorted times."""
    return times[len(times) // 4]


def written_bytes(pid: int | None) -> float:
    """What a program has sent to the disk so far; its CPU seconds where the system does not count bytes (macOS)."""
    import psutil

    if pid is None:
        return 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        counters = getattr(process, "io_counters", None)
        return counters().write_bytes if counters else sum(process.cpu_times()[:2]) * 1e9
    return 0


def filesystem(directory: Path) -> str:
    """Kind of the file system a directory is on; "" where that can't be told (no /proc)."""
    best = ("", "")
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    for fields in (line.split() for line in lines):
        mount = fields[1].replace("\\040", " ")
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(best[0]):
            best = (mount, fields[2])
    return best[1]
