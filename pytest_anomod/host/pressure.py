"""Measures how busy this machine is: a thread reads the run queue and the kernel's pressure counters very often."""

from __future__ import annotations

import bisect
import contextlib
import functools
import os
import random
import statistics
import threading
from collections.abc import Sequence
from typing import NamedTuple

from pytest_anomod.host.cores import ForeignLoad, usable_cores
from pytest_anomod.model import clock

READING_S = 0.5
"""One reading sums up the looks of half a second."""
LOOKS = 5
"""Looks of a reading, at random moments: on a grid they would meet what others do on one."""
FOREIGN_EVERY = 12
"""Readings from one look at what others use to the next, unless somebody asks: that goes through all processes."""
KEPT = 4_000
"""Readings that are kept, more than half an hour of them."""

MOST_WANTING = 1.8
"""Tasks that want a core, for each core, in the median of a stretch: with more, and MOST_STALLED, it is too busy."""
MOST_STALLED = 0.7
"""Share of a stretch in which some task waited for a core. Four endless loops on two cores come to 0.83 and more."""
MOST_LAG_S = 0.02
"""The same without a kernel that tells: the median lateness of our own looks."""
LEAST_S = 2.0
"""A shorter stretch says nothing."""


class Reading(NamedTuple):
    """Half a second of this machine: shares of it from 0 to 1, None where the kernel does not tell."""

    time_unix_nano: int
    length_s: float
    tasks_per_core: float | None
    """Tasks that run or want to, for each core; the median of the looks."""
    cpu_stalled: float | None
    """Share of the time in which some task waited for a core."""
    io_stalled: float | None
    memory_stalled: float | None
    stolen: float | None
    """Share of the cores' time that the hypervisor gave to others."""
    lag_s: float
    """How much later than asked for our looks came; the median."""
    available_bytes: float | None
    """Memory that could be had without swapping."""


class Pressure(NamedTuple):
    """A stretch of time summed up from its readings."""

    length_s: float
    tasks_per_core: float | None
    cpu_stalled: float | None
    io_stalled: float | None
    lag_s: float

    @property
    def too_busy(self) -> bool:
        """Whether the machine was too busy in that stretch for figures of the system on it."""
        if self.length_s < LEAST_S:
            return False
        if self.tasks_per_core is None or self.cpu_stalled is None:
            return self.lag_s > MOST_LAG_S
        return self.tasks_per_core > MOST_WANTING and self.cpu_stalled > MOST_STALLED

    def sentence(self) -> str:
        """The figures in words."""
        if self.tasks_per_core is None or self.cpu_stalled is None:
            return f"our own looks came {self.lag_s * 1e3:.0f} ms late in the median"
        cores = usable_cores()
        disk = "" if self.io_stalled is None else f", {self.io_stalled:.0%} with a task waiting for a disk"
        return (
            f"{self.tasks_per_core * cores:.1f} tasks wanted one of {cores} cores in the median, "
            f"{self.cpu_stalled:.0%} of the time with a task waiting for one{disk}"
        )


def summed_up(readings: Sequence[Reading]) -> Pressure:
    """The pressure of a stretch: medians of what is counted, means of shares."""
    wanting = [reading.tasks_per_core for reading in readings if reading.tasks_per_core is not None]
    return Pressure(
        length_s=sum(reading.length_s for reading in readings),
        tasks_per_core=statistics.median(wanting) if wanting else None,
        cpu_stalled=_mean([reading.cpu_stalled for reading in readings]),
        io_stalled=_mean([reading.io_stalled for reading in readings]),
        lag_s=statistics.median(reading.lag_s for reading in readings) if readings else 0.0,
    )


class PressureMeter:
    """Looks at the machine in a daemon thread from `start` on; about 0.2 % of a core."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._random = random.Random()
        self._thread = threading.Thread(target=self._run, name="pressure", daemon=True)
        self._source = _Kernel()
        self.foreign = ForeignLoad()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; idempotent."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def readings(self, start_ns: int, end_ns: int | None = None) -> list[Reading]:
        """The readings taken within a stretch of time, in order."""
        with self._lock:
            times = [reading.time_unix_nano for reading in self._readings]
            first = bisect.bisect_left(times, start_ns)
            last = len(times) if end_ns is None else bisect.bisect_left(times, end_ns)
            return self._readings[first:last]

    def pressure(self, start_ns: int, end_ns: int | None = None) -> Pressure:
        """What a stretch of time comes to."""
        return summed_up(self.readings(start_ns, end_ns))

    def _run(self) -> None:
        turn = 0
        while not self._ending.is_set():
            reading = self._read()
            with self._lock:
                self._readings.append(reading)
                del self._readings[:-KEPT]
            turn = (turn + 1) % FOREIGN_EVERY
            if turn == 0:
                self.foreign.look()

    def _read(self) -> Reading:
        begin_s, before = clock.monotonic_s(), self._source.counters()
        wanting, lags = [], []
        for moment in sorted(self._random.uniform(0, READING_S) for _ in range(LOOKS)):
            lags.append(self._wait_until(begin_s + moment))
            wanting.append(self._source.tasks_per_core())
        self._wait_until(begin_s + READING_S)
        length_s = max(1e-3, clock.monotonic_s() - begin_s)
        after = self._source.counters()
        known = [value for value in wanting if value is not None]

        def share(name: str) -> float | None:
            return (after[name] - before[name]) / length_s if name in after and name in before else None

        return Reading(
            time_unix_nano=clock.now_ns(), length_s=length_s,
            tasks_per_core=statistics.median(known) if known else None,
            cpu_stalled=share("cpu"), io_stalled=share("io"), memory_stalled=share("memory"), stolen=share("stolen"),
            lag_s=statistics.median(lags), available_bytes=self._source.available_bytes(),
        )  # fmt: skip

    def _wait_until(self, moment_s: float) -> float:
        """Wait for a moment; how many seconds too late it became."""
        # never longer than a reading, whatever a clock that tests have changed meanwhile may say
        self._ending.wait(min(READING_S, max(0.0, moment_s - clock.monotonic_s())))
        return max(0.0, clock.monotonic_s() - moment_s)


class _Kernel:
    """What Linux tells in /proc; each figure is left out where there is none."""

    def __init__(self) -> None:
        self._cores = os.cpu_count() or 1
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self._files: dict[str, int] = {}

    def tasks_per_core(self) -> float | None:
        """Tasks that run or want to, ourselves left out, for each core of the machine."""
        text = self._text("/proc/loadavg")
        return (int(text.split()[3].partition(b"/")[0]) - 1) / self._cores if text else None

    def counters(self) -> dict[str, float]:
        """Seconds so far, by name: stalled for cpu, io and memory; stolen, for each core."""
        found: dict[str, float] = {}
        for what in ("cpu", "io", "memory"):
            text = self._text(f"/proc/pressure/{what}")
            if text:
                found[what] = int(text.split(b"total=", 1)[1].split(None, 1)[0]) / 1e6
        text = self._text("/proc/stat")
        if text:
            found["stolen"] = int(text.split(b"\n", 1)[0].split()[8]) * self._tick_s / self._cores
        return found

    def available_bytes(self) -> float | None:
        """Memory to be had without swapping."""
        text = self._text("/proc/meminfo")
        return float(text.split(b"MemAvailable:", 1)[1].split()[0]) * 1024 if b"MemAvailable:" in text else None

    def _text(self, path: str) -> bytes:
        """The file's text, "" where there is none or it can't be read; it stays open, as opening costs the most."""
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


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


@functools.cache
def meter() -> PressureMeter:
    """The meter of this process, which looks from the first time somebody asks for it until the process ends."""
    made = PressureMeter()
    made.start()
    return made
