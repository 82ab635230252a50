"""What Linux tells of how busy this machine is, in /proc and control groups; a figure it lacks is left out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from pytest_anomod.host import cgroups
from pytest_anomod.host.cores import usable_cores
from pytest_anomod.host.proc_files import ProcFiles

_STALLS = ("cpu", "io", "memory")
_MOST_OPEN = 512
"""Files of tasks that stay open; those beyond are opened at each look."""


class MachineFigures:
    """Figures of now; the files stay open, as opening one costs more than reading it."""

    def __init__(self) -> None:
        self.last = ""
        """The file that was read last, to name it in an error."""
        self._cores = usable_cores()
        self._all_cores = os.cpu_count() or 1
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self._files: dict[str, int] = {}
        self._stalls = {what: f"/proc/pressure/{what}" for what in _STALLS}
        group = cgroups.limited_group()
        if group is not None and (group / "cpu.pressure").exists():
            # under a quota tasks wait for a core while the machine has one to spare
            self._stalls["cpu"] = str(group / "cpu.pressure")

    def tasks_per_core(self) -> float | None:
        """Tasks that run or want to, ourselves left out, for each core that we may use."""
        text = self._text("/proc/loadavg")
        running, _, there = text.split()[3].partition(b"/") if text else (b"", b"", b"0")
        # gVisor has the file and counts nobody
        return max(0, int(running) - 1) / self._cores if int(there) else None

    def counters(self) -> dict[str, float]:
        """Seconds so far, by name: stalled for cpu, io and memory; stolen, for each core of the machine."""
        found: dict[str, float] = {}
        for what, path in self._stalls.items():
            text = self._text(path)
            if text:
                found[what] = int(text.split(b"total=", 1)[1].split(None, 1)[0]) / 1e6
        text = self._text("/proc/stat")
        if text:
            found["stolen"] = int(text.split(b"\n", 1)[0].split()[8]) * self._tick_s / self._all_cores
        return found

    def available_bytes(self) -> float | None:
        """Memory to be had without swapping."""
        text = self._text("/proc/meminfo")
        return float(text.split(b"MemAvailable:", 1)[1].split()[0]) * 1024 if b"MemAvailable:" in text else None

    def _text(self, path: str) -> bytes:
        """The file's text, "" where there is none or it can't be read."""
        self.last = path
        if path not in self._files:
            self._files[path] = -1
            with contextlib.suppress(OSError):
                self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if self._files[path] < 0:
            return b""
        try:
            return os.pread(self._files[path], 4096, 0)
        except OSError:  # a kernel that has the file and does not keep these figures
            return b""

    def __del__(self) -> None:
        for descriptor in self._files.values():
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)


class RunDelay:
    """How long tasks of ours waited on a run queue, by the scheduler's counters (/proc/PID/schedstat, fields 1 and 2).

    These are all threads of this process, and the main thread of each of its descendants: hundreds of files would be
    too many for every look.
    """

    def __init__(self) -> None:
        self._files = ProcFiles(_MOST_OPEN)
        self._before: dict[str, tuple[int, int]] = {}

    def share(self, pids: Iterable[int]) -> float | None:
        """Share of the time in which they ran or wanted to that they waited, since the call before; None: not known."""
        now = self._counters(pids)
        both = [(now[path], self._before[path]) for path in now.keys() & self._before.keys()]
        self._before = now
        ran, waited = (sum(after[field] - before[field] for after, before in both) for field in (0, 1))
        return waited / (ran + waited) if ran + waited > 0 else None

    def _counters(self, pids: Iterable[int]) -> dict[str, tuple[int, int]]:
        """Nanoseconds run and waited so far, by file."""
        own = os.getpid()
        threads: list[str] = []
        with contextlib.suppress(OSError):
            threads = os.listdir(f"/proc/{own}/task")
        paths = [f"/proc/{own}/task/{thread}/schedstat" for thread in threads]
        paths += [f"/proc/{pid}/schedstat" for pid in pids if pid != own]
        found = {}
        for path in paths:
            fields = self._files.read(path).split()
            if len(fields) == 3:
                found[path] = int(fields[0]), int(fields[1])
        return found
