"""The cores of this machine: how many we may use, and how many of them the programs of others take."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from pytest_anomod.model import clock

ENGINES = ("containerd-shim", "dockerd", "containerd")
"""Programs whose descendants are containers: what runs in them is counted by the case that has brought them up."""

_LINUX = sys.platform == "linux"


class Task(NamedTuple):
    """A process in a look at all of them: its parent, its name, and CPU seconds used, ended children included."""

    parent: int
    name: str
    cpu_s: float


def usable_cores() -> int:
    """Cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def process_table() -> dict[int, Task]:
    """All processes there are now, by pid; empty where there is no /proc."""
    found: dict[int, Task] = {}
    if not _LINUX:
        return found
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):  # it ended while we looked
            with open(f"/proc/{entry}/stat", "rb") as file:
                text = file.read().decode("utf-8", "replace")
            name, _, rest = text.partition("(")[2].rpartition(")")
            fields = rest.split()
            found[int(entry)] = Task(int(fields[1]), name, sum(map(int, fields[11:15])) * tick_s)
    return found


def family(table: Mapping[int, Task], roots: set[int]) -> set[int]:
    """The pids of these processes and of all their descendants."""
    known: dict[int, bool] = {}

    def belongs(pid: int) -> bool:
        line = []
        while pid not in known and pid not in roots and pid in table:
            line.append(pid)
            pid = table[pid].parent
        answer = pid in roots or known.get(pid, False)
        known.update(dict.fromkeys(line, answer))
        return answer

    return {pid for pid in table if belongs(pid)}


class ForeignLoad:
    """How many cores programs take that belong to no pytest process of ours: a mean since the look before."""

    def __init__(self) -> None:
        self.cores = 0.0
        self.ours = {os.getpid()}
        """Processes whose descendants don't count."""
        if "PYTEST_XDIST_WORKER" in os.environ:
            self.ours.add(os.getppid())  # the controller, and so the other workers
        self._before = process_table()
        self._since_s = clock.monotonic_s()

    def look(self) -> None:
        """Work out `cores` anew."""
        now_s = clock.monotonic_s()
        table = process_table()
        engines = {pid for pid, task in table.items() if task.name.startswith(ENGINES)}
        spared = family(table, self.ours | engines)
        used_s = sum(
            max(0.0, task.cpu_s - self._before[pid].cpu_s)
            for pid, task in table.items()
            if pid not in spared and pid in self._before
        )
        self.cores = used_s / max(0.1, now_s - self._since_s)
        self._before, self._since_s = table, now_s
