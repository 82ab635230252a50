"""Whether users are served as in the baseline again, from the record file of a workload that still runs.

The check `healed` divides latency by the machine's pace. Here it is not divided: the spans that tell the pace are read
after the workload has ended. The pace never makes an answer slower, so what is settled here has healed there.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from pytest_anomod.chaos.steady import is_error, recent_responses
from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.model.settled import SPARE_MS, Tail, tail_of


class Served:
    """The baseline's answers, once read, and how the recovery's compare with them."""

    def __init__(self, records: Path, baseline: tuple[int, int]) -> None:
        self._records = records
        rows = [row for row in recent_responses(records, baseline[0]) if _within(row, *baseline)]
        kinds: dict[tuple[str, ...], list[float]] = {}
        for row in rows:
            kinds.setdefault(_kind(row), []).append(row["duration_ns"] / 1e6)
        self._usual = {kind: statistics.median(lengths) for kind, lengths in kinds.items()}
        self.usual_errors = sum(map(is_error, rows)) / len(rows) if rows else 0.0

    def tail(self, since_ns: int, recovery_s: float) -> Tail:
        """The end, up to now, of a recovery that began then; `recovery_s` is the length that was asked for."""
        now_ns = clock.now_ns()
        rows = [row for row in recent_responses(self._records, since_ns) if row["time_unix_nano"] >= since_ns]
        return tail_of(
            [(row["time_unix_nano"] - since_ns) / clock.NS_PER_S for row in rows],
            [is_error(row) for row in rows],
            self._multiples(rows),
            window_s=(now_ns - since_ns) / clock.NS_PER_S,
            recovery_s=recovery_s,
        )

    def settled(self, tail: Tail) -> bool:
        """Whether that end is like the baseline."""
        return tail.settled(self.usual_errors)

    def _multiples(self, rows: Sequence[dict[str, Json]]) -> list[float]:
        nan = float("nan")
        return [row["duration_ns"] / 1e6 / (self._usual.get(_kind(row), nan) + SPARE_MS) for row in rows]


def _kind(row: dict[str, Json]) -> tuple[str, ...]:
    """What is compared with its like: a request of a journey; of a suite, whose tests are many, the route."""
    route = str(row.get("method", "")), str(row.get("route", ""))
    return route if "usual_status" in row else (str(row.get("journey", "")), *route)


def _within(row: dict[str, Json], start_ns: int, end_ns: int) -> bool:
    return bool(row["time_unix_nano"] >= start_ns and row["time_unix_nano"] + row["duration_ns"] < end_ns)
