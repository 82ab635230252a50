"""Measures how busy this machine is: a thread reads the run queue and the kernel's pressure counters very often."""

from __future__ import annotations

import bisect
import functools
import operator
import os
import random
import statistics
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pytest_anomod.host.cores import ForeignLoad, usable_cores
from pytest_anomod.host.machine_figures import MachineFigures, RunDelay
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError

READING_S = 0.5
"""One reading sums up the looks of about half a second."""
LOOKS = 3
"""Looks of a reading, at random moments: on a grid they would meet what others do on one. Waking up costs the most."""
FOREIGN_EVERY = 30
"""Readings from one look at what others use to the next, unless somebody asks: that goes through all processes."""
KEPT = 50_000
"""Readings that are kept, nearly seven hours of them."""

MOST_WANTING = 1.8
"""Tasks that want a core, for each core, in the median of a stretch: with more, and tasks that wait, it is too busy."""
MOST_STALLED = 0.7
"""Share of a stretch in which some task waited for a core. Four endless loops on two cores come to 0.83 and more."""
MOST_DELAYED = 0.66
"""Without stall information: share of the time in which our tasks ran or wanted to that they waited for a core.

Tasks that want 2 ms in every 12, beside 2, 3, 4 and 6 endless loops on two cores: 0.5, 0.62, 0.71, 0.8. The windows of
a case that is played alone come to 0.36 to 0.55.
"""
MOST_LAG_S = 0.02
"""Without anything of the kernel: the median lateness of our own looks."""
MOST_SHORT = 0.1
"""Share of a stretch in which some task waited for memory: with more, and LEAST_AVAILABLE, it is too busy."""
LEAST_AVAILABLE = 0.1
"""Share of the memory that is to be had: one container that is held to little memory waits while there is plenty."""
LEAST_S = 2.0
"""A shorter stretch says nothing."""

_moment = operator.attrgetter("time_unix_nano")


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
    run_delay: float | None = None
    """Share of the time in which our tasks ran or wanted to that they waited; read only where `cpu_stalled` is not."""


class Pressure(NamedTuple):
    """A stretch of time summed up from its readings."""

    length_s: float
    """How much of it was seen."""
    tasks_per_core: float | None
    cpu_stalled: float | None
    io_stalled: float | None
    lag_s: float
    memory_stalled: float | None = None
    stolen: float | None = None
    available: float | None = None
    """Share of the machine's memory that was to be had."""
    run_delay: float | None = None
    asked_s: float = 0.0
    """How long the stretch was."""

    @property
    def too_busy(self) -> bool:
        """Whether the machine was too busy in that stretch for figures of the system on it.

        Stalls of the disk don't count: a neighbour that writes all the time makes them, and cases are true then.
        """
        if max(self.length_s, self.asked_s) < LEAST_S or not self.seen:
            return False
        available = 1.0 if self.available is None else self.available
        if (self.memory_stalled or 0.0) > MOST_SHORT and available < LEAST_AVAILABLE:
            return True
        # what the hypervisor gives to others makes tasks wait as others' tasks do
        given = 1 - min(self.stolen or 0.0, 0.99)
        waited, most = self.cpu_stalled, MOST_STALLED
        if waited is None:
            waited, most = self.run_delay, MOST_DELAYED
        if waited is None and self.tasks_per_core is None:
            return self.lag_s > MOST_LAG_S
        # a burst of tasks makes them wait for each other, and leaves no queue
        queued = self.tasks_per_core is None or self.tasks_per_core / given > MOST_WANTING
        return queued and (waited is None or 1 - (1 - waited) * given > most)

    @property
    def seen(self) -> bool:
        """Whether the readings are of half of the stretch, or more."""
        return self.asked_s < LEAST_S or self.length_s >= self.asked_s / 2

    def sentence(self) -> str:
        """The figures in words."""
        said = []
        if self.tasks_per_core is not None:
            cores = usable_cores()
            said.append(f"{self.tasks_per_core * cores:.1f} tasks wanted one of {cores:g} cores in the median")
        if self.cpu_stalled is not None:
            said.append(f"{self.cpu_stalled:.0%} of the time with a task waiting for one")
        elif self.run_delay is not None:
            said.append(f"ours waited for a core for {self.run_delay:.0%} of the time in which they wanted one")
        if not said:
            said.append(f"our own looks came {self.lag_s * 1e3:.0f} ms late in the median")
        if self.io_stalled is not None:
            said.append(f"{self.io_stalled:.0%} with a task waiting for a disk")
        if (self.memory_stalled or 0.0) >= 0.01 and self.available is not None:
            said.append(f"{self.memory_stalled:.0%} with one waiting for memory ({self.available:.0%} was to be had)")
        if (self.stolen or 0.0) >= 0.01:
            said.append(f"{self.stolen:.0%} of the cores' time was given to other machines")
        return ", ".join(said)

    def told(self) -> str | None:
        """The figures in words; None when there are too few readings to tell."""
        return self.sentence() if self.seen else None


def summed_up(readings: Sequence[Reading], asked_s: float = 0.0) -> Pressure:
    """The pressure of a stretch that is so long: medians of what is counted, means over time of shares."""
    available = _median(reading.available_bytes for reading in readings)
    return Pressure(
        length_s=sum(reading.length_s for reading in readings),
        tasks_per_core=_median(reading.tasks_per_core for reading in readings),
        cpu_stalled=_share(readings, "cpu_stalled"),
        io_stalled=_share(readings, "io_stalled"),
        lag_s=_median(reading.lag_s for reading in readings) or 0.0,
        memory_stalled=_share(readings, "memory_stalled"),
        stolen=_share(readings, "stolen"),
        available=None if available is None else available / _memory_bytes(),
        run_delay=_share(readings, "run_delay"),
        asked_s=asked_s,
    )


class PressureMeter:
    """Looks at the machine in a daemon thread from `start` on; about 0.1 % of a core."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._forgotten_ns = -1  # of the last reading that was dropped
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._random = random.Random()
        self._thread = threading.Thread(target=self._run, name="pressure", daemon=True)
        self._source = MachineFigures()
        self._delay = RunDelay()
        self._error: BaseException | None = None
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
        """The readings taken within a stretch of time, in order.

        CaptureError when the thread died, or the stretch began longer ago than readings are kept.
        """
        if self._error is not None:
            error = f"{type(self._error).__name__}: {self._error}"
            msg = f"nobody looks any more at how busy this machine is: {error}, after reading {self._source.last}"
            raise CaptureError(msg) from self._error
        with self._lock:
            if start_ns <= self._forgotten_ns:
                msg = f"how busy the machine was is kept for {KEPT:,} readings, and this stretch began before them"
                raise CaptureError(msg)
            first = bisect.bisect_left(self._readings, start_ns, key=_moment)
            last = len(self._readings)
            if end_ns is not None:
                last = bisect.bisect_left(self._readings, end_ns, key=_moment)
            return self._readings[first:last]

    def pressure(self, start_ns: int, end_ns: int | None = None) -> Pressure:
        """What a stretch of time comes to."""
        until_ns = clock.now_ns() if end_ns is None else end_ns
        return summed_up(self.readings(start_ns, end_ns), (until_ns - start_ns) / clock.NS_PER_S)

    def _run(self) -> None:
        try:
            self._read_forever()
        except BaseException as error:  # whatever it was, readings() must say it: nobody sees a thread die
            self._error = error

    def _read_forever(self) -> None:
        turn = 0
        begin_s, before = clock.monotonic_s(), self._source.counters()
        while not self._ending.is_set():
            wanting, lags = [], []
            for _ in range(LOOKS):
                lags.append(self._wait(self._random.uniform(0.5, 1.5) * READING_S / LOOKS))
                wanting.append(self._source.tasks_per_core())
            end_s, after = clock.monotonic_s(), self._source.counters()
            reading = self._reading(max(1e-3, end_s - begin_s), before, after, wanting, lags)
            begin_s, before = end_s, after
            with self._lock:
                self._readings.append(reading)
                if len(self._readings) > KEPT:
                    self._forgotten_ns = self._readings.pop(0).time_unix_nano
            turn = (turn + 1) % FOREIGN_EVERY
            if turn == 0:
                self.foreign.look()

    def _reading(
        self,
        length_s: float,
        before: dict[str, float],
        after: dict[str, float],
        wanting: Sequence[float | None],
        lags: Sequence[float],
    ) -> Reading:
        def share(name: str) -> float | None:
            return (after[name] - before[name]) / length_s if name in after and name in before else None

        return Reading(
            time_unix_nano=clock.now_ns(), length_s=length_s, tasks_per_core=_median(wanting),
            cpu_stalled=share("cpu"), io_stalled=share("io"), memory_stalled=share("memory"), stolen=share("stolen"),
            lag_s=statistics.median(lags), available_bytes=self._source.available_bytes(),
            run_delay=None if "cpu" in after else self._delay.share(self.foreign.family),
        )  # fmt: skip

    def _wait(self, seconds: float) -> float:
        """Wait so long; how many seconds too late it became."""
        begin_s = clock.monotonic_s()
        self._ending.wait(seconds)
        return max(0.0, clock.monotonic_s() - begin_s - seconds)


def _share(readings: Sequence[Reading], field: str) -> float | None:
    """The mean of a share over the time of the readings that have it."""
    known = [(getattr(reading, field), reading.length_s) for reading in readings if getattr(reading, field) is not None]
    return statistics.fmean(*zip(*known, strict=True)) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


@functools.cache
def _memory_bytes() -> float:
    """The memory of this machine."""
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


@functools.cache
def meter() -> PressureMeter:
    """The meter of this process, which looks from the first time somebody asks for it until the process ends."""
    made = PressureMeter()
    made.start()
    return made
