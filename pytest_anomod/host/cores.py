"""The cores of this machine: how many we may use, and how many of them the programs of others take."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
import threading
from collections.abc import Mapping
from typing import NamedTuple

from pytest_anomod.host import cgroups, processes
from pytest_anomod.host.proc_files import read_once
from pytest_anomod.model import clock

ENGINES = ("containerd-shim", "dockerd", "containerd")
"""Programs whose descendants are containers: what runs in them is counted by the case that has brought them up.

The containers of others are not told from ours, and so are not seen here; threads of the kernel count as foreign.
"""

FRESH_S = 0.5
"""A look at what others use is good for so long."""

_LINUX = sys.platform == "linux"


class Task(NamedTuple):
    """A process in a look at all of them: its parent, its name, and CPU seconds used, ended children included."""

    parent: int
    name: str
    cpu_s: float


def usable_cores() -> float:
    """Cores that this process may run on, and no more than its control groups' CPU quota (0.5 for half a core)."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(float(there or 1), _quota())


@functools.cache
def _quota() -> float:
    """The CPU quota in cores, as it was when somebody asked first."""
    return cgroups.own_quota() or math.inf


def process_table() -> dict[int, Task]:
    """All processes there are now, by pid; empty where there is no /proc."""
    found: dict[int, Task] = {}
    if not _LINUX:
        return found
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(ValueError, IndexError):  # it ended while we looked
            name, _, rest = read_once(f"/proc/{entry}/stat").partition(b"(")[2].rpartition(b")")
            fields = rest.split(None, 15)
            used = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
            found[int(entry)] = Task(int(fields[1]), name.decode("utf-8", "replace"), used * tick_s)
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
        self.sharing: dict[int, float] = {}
        """Processes of other sessions that lease cores, with the times they started: theirs don't count either."""
        self._before = process_table()
        self.family = family(self._before, self.ours)
        """The pids of ours and all below them, at the last look."""
        self._since_s = clock.monotonic_s()
        self._lock = threading.Lock()

    def now(self) -> float:
        """The cores of the last seconds: worked out anew unless that was done a moment ago."""
        if abs(clock.monotonic_s() - self._since_s) >= FRESH_S:
            self.look()
        return self.cores

    def look(self) -> None:
        """Work out `cores` anew."""
        with self._lock:
            now_s = clock.monotonic_s()
            table = process_table()
            engines = {pid for pid, task in table.items() if task.name.startswith(ENGINES)}
            sharing = {pid for pid, started in self.sharing.items() if processes.is_same(pid, started)}
            spared = family(table, self.ours | sharing | engines)
            used_s = sum(
                max(0.0, task.cpu_s - self._before[pid].cpu_s)
                for pid, task in table.items()
                if pid not in spared and pid in self._before
            )
            self.cores = used_s / max(0.1, now_s - self._since_s)
            self._before, self._since_s = table, now_s
            self.family = family(table, self.ours)
