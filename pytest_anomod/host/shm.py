"""System V shared memory that PostgreSQL servers leave behind when they are killed: found before, removed after."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_IPC_RMID = 0


def segments_of(directory: Path) -> list[tuple[int, int]]:
    """(key, id) of the System V segments of all PostgreSQL servers whose data is below a directory."""
    found = []
    for folder, _, files in os.walk(directory):  # unlike glob, bears that a dying host removes files meanwhile
        if "postmaster.pid" not in files:
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):  # a server that starts or ends right now
            key, identifier = Path(folder, "postmaster.pid").read_text().splitlines()[6].split()
            found.append((int(key), int(identifier)))
    return found


def remove(segments: list[tuple[int, int]]) -> int:
    """Remove segments nobody is attached to any more; return how many there were."""
    left = _listed()
    removed = 0
    for key, identifier in segments:
        # an id is given again after removal: only the same key, unattached, is the one we found
        if left is None or left.get(identifier) == (key & 0xFFFFFFFF, 0):
            removed += ctypes.CDLL(None).shmctl(identifier, _IPC_RMID, None) == 0
    return removed


def _listed() -> dict[int, tuple[int, int]] | None:
    """Key and number of attached processes by id; None where the kernel does not list them."""
    try:
        rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except OSError:
        return None
    fields = [row.split() for row in rows]
    return {int(row[1]): (int(row[0]) & 0xFFFFFFFF, int(row[6])) for row in fields}
