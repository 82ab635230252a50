"""The process that sends: an open loop on a seeded plan; nothing that the system does delays an arrival."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gc
import itertools
import math
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model import clock as wall
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.workloads._http import Pool
from pytest_anomod.workloads.exchange import Clock, JourneyClient, Sending, base_record
from pytest_anomod.workloads.plan import Arrival, Load, arrivals
from pytest_anomod.workloads.record import Records, state_path, write_json

LEAD_S = 0.05
"""The plan begins this long after the process says so, so that its first arrival is not late."""

_AHEAD = 16
"""Arrivals that are drawn at once: well below a millisecond, in which nothing else is done."""
_LOOK_EVERY_S = 0.5
"""How often we see whether our owner lives."""
_LOOKS_A_REPORT = 4
"""Looks from one report to the next: a file that takes another's place costs as much as an exchange."""


class Generator:
    """Plays a load. The state file beside the records says when it began, how it goes and why it ended.

    On SIGTERM and at the deadline nothing new begins, and requests in flight get up to the timeout to finish; what is
    left then, and all that is left when the owner (the parent process) died, is recorded as cancelled.
    """

    def __init__(
        self, load: Load, records: Path, *, owner_pid: int | None = None, notes: Mapping[str, Any] | None = None
    ) -> None:
        self._load = load
        self._records_path = records
        self._owner_pid = owner_pid
        self._notes = dict(notes or {})
        self._counts: collections.Counter[str] = collections.Counter()
        self._lags_ms: collections.Counter[int] = collections.Counter()
        self._journey_errors: dict[str, str] = {}
        self._journeys: set[asyncio.Task[None]] = set()
        self._state: dict[str, Any] = {}  # of the journeys, not ours
        self._end_reason = ""
        self._ending = False
        self._sleep: asyncio.Future[None] | None = None
        self._ended_s: float | None = None

    async def run(self) -> None:
        """Send until the deadline, SIGTERM or the owner's death, then end as the class says."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.end, "stopped")
        clock = Clock(start_unix_nano=wall.now_ns() + int(LEAD_S * 1e9), start_s=wall.monotonic_s() + LEAD_S)
        records = Records(self._records_path)
        http = Pool(self._load.timeout_s)
        sending = Sending(load=self._load, http=http, records=records, clock=clock, count=self._count)
        reporting = asyncio.create_task(self._report_forever(clock))
        try:
            await self._send(sending)
            sending.is_open = False
            await self._drain()
        finally:
            reporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reporting
            http.close()
            records.close()
            self._write_state("ended", clock)

    def end(self, reason: str) -> None:
        """Begin nothing new from now on; the first reason stays."""
        if not self._ending:
            self._end_reason = reason
            self._ended_s = wall.monotonic_s()
            self._ending = True
            _finish(self._sleep)

    async def _send(self, sending: Sending) -> None:
        for arrival in _ahead(arrivals(self._load)):
            due_s = sending.clock.start_s + arrival.at_s
            await self._until(due_s)
            if self._ending:
                return
            self._counts["arrivals"] += 1
            self._lags_ms[round((wall.monotonic_s() - due_s) * 1000)] += 1
            if len(self._journeys) >= self._load.max_in_flight:
                self._shed(sending, arrival, due_s)
            else:
                task = asyncio.create_task(self._play(sending, arrival, due_s))
                self._journeys.add(task)
                task.add_done_callback(self._journeys.discard)
        await self._until(sending.clock.start_s + self._load.deadline_s)
        self.end("deadline")

    async def _until(self, moment_s: float) -> None:
        """Sleep until a moment of the monotonic clock, or until we are to end."""
        if moment_s <= wall.monotonic_s():
            await asyncio.sleep(0)  # we are late: what is under way goes on all the same
        # again, as timers of the loop may fire a little early: nothing is sent before it is due
        loop = asyncio.get_running_loop()
        while (left_s := moment_s - wall.monotonic_s()) > 0 and not self._ending:
            self._sleep = loop.create_future()
            # in whole milliseconds, as the timers of the fastest loop are: it would round, and we would wake thrice
            timer = loop.call_later(math.ceil(left_s * 1000) / 1000, _finish, self._sleep)
            await self._sleep
            timer.cancel()

    async def _play(self, sending: Sending, arrival: Arrival, due_s: float) -> None:
        client = JourneyClient(sending, arrival, due_s, self._state)
        try:
            await arrival.journey.play(client, arrival.random)
        except Exception as error:  # a journey that fails on an answer must not end the workload; it is reported
            self._counts["journey_errors"] += 1
            self._journey_errors[arrival.journey.name] = f"{type(error).__name__}: {error}"
            if isinstance(error, ScenarioError):
                self.end(f"error: {error}")

    def _shed(self, sending: Sending, arrival: Arrival, due_s: float) -> None:
        """Too many journeys are under way: record that this one was left out."""
        self._count("shed")
        record = base_record(arrival, sending.clock.unix_nano(due_s), self._load.system.entry)
        sending.records.write({**record, "error_kind": "shed"})

    async def _drain(self) -> None:
        """Let what is in flight finish in its own time, and cancel what does not."""
        if self._journeys and self._end_reason != "owner died":
            await asyncio.wait(self._journeys, timeout=self._load.timeout_s)
        for task in self._journeys:
            task.cancel()
        await asyncio.gather(*self._journeys, return_exceptions=True)

    def _count(self, kind: str) -> None:
        self._counts[kind] += 1

    async def _report_forever(self, clock: Clock) -> None:
        for look in itertools.count():
            if self._owner_pid is not None and os.getppid() != self._owner_pid:
                self.end("owner died")
            try:
                if look % _LOOKS_A_REPORT == 0:
                    self._write_state("sending", clock)
            except OSError as error:
                # nowhere left to write to, such as when a dead owner's directory was cleared: nobody wants the records
                self.end(f"error: {error}")
            await asyncio.sleep(_LOOK_EVERY_S)

    def _write_state(self, state: str, clock: Clock) -> None:
        until_s = wall.monotonic_s() if self._ended_s is None else self._ended_s
        lags = sorted(self._lags_ms.items())
        counts = self._counts
        sent = counts.total() - counts["arrivals"] - counts["journey_errors"] - counts["shed"]
        write_json(
            state_path(self._records_path),
            {
                "state": state,
                "pid": os.getpid(),
                "start_unix_nano": clock.start_unix_nano,
                "elapsed_s": round(max(0.0, until_s - clock.start_s), 3),
                "end_reason": self._end_reason if state == "ended" else "",
                "target_rps": self._load.rate_rps,
                "arrivals": counts["arrivals"],
                "requests": sent,
                "in_flight": len(self._journeys),
                "shed": counts["shed"],
                "cancelled": counts["cancelled"],
                "answered": counts["answered"],
                "journey_errors": counts["journey_errors"],
                "last_journey_errors": dict(self._journey_errors),
                **self._notes,
                "lag": {f"p{share}_ms": _percentile(lags, share) for share in (50, 95, 99, 100)},
            },
        )


def run_generator(load: Load, records: Path, *, owner_pid: int | None, notes: Mapping[str, Any] | None = None) -> None:
    """Play a load in this process, on the fastest event loop there is; `notes` are part of the summary."""
    runner: Callable[..., Any] = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop

        runner = uvloop.run

    async def main() -> None:
        await Generator(load, records, owner_pid=owner_pid, notes=notes).run()

    gc.freeze()  # what is loaded by now stays: collections then look at requests alone
    gc.set_threshold(50_000)  # and those leave hardly any cycles
    runner(main())


def _ahead(planned: Iterator[Arrival]) -> Iterator[Arrival]:
    """The same, drawn some at a time, which costs less than one at each wake-up, when the processor's cache is cold."""
    while chunk := list(itertools.islice(planned, _AHEAD)):
        yield from chunk


def _finish(sleep: asyncio.Future[None] | None) -> None:
    if sleep is not None and not sleep.done():
        sleep.set_result(None)


def _percentile(counted: list[tuple[int, int]], share: int) -> int:
    """The value below which `share` percent of the counted values lie; 0 of none."""
    total = sum(count for _, count in counted)
    seen = 0
    for value, count in counted:
        seen += count
        if seen * 100 >= share * total:
            return value
    return 0
