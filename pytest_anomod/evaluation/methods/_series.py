"""The metrics of a case as a matrix, one row a tick and one column a service's metric: rates, gauges, mean lengths."""

from __future__ import annotations

import dataclasses

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.dataset.series import metric_table
from pytest_anomod.model.clock import NS_PER_S


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """`values[tick, column]`; counters are rates a second, histograms a rate (`_count`) and a mean (`_mean`).

    Labels are summed up, so that a column is one metric of one service. What is missing keeps its last value, or 0
    before there is any (as RCAEval reads its tables); `told[tick, column]` is False there. `after` says which ticks
    come after the alarm.
    """

    times: np.ndarray
    after: np.ndarray
    values: np.ndarray
    told: np.ndarray
    services: tuple[str, ...]
    metrics: tuple[str, ...]

    def by_service(self, evidence: Evidence, scores: np.ndarray) -> dict[str, float]:
        """The highest score of each service's columns; services of the system only (the machine itself is none)."""
        found: dict[str, float] = {}
        for name, value in zip(self.services, scores.tolist(), strict=True):
            if name in evidence.services and np.isfinite(value):
                found[name] = max(found.get(name, -np.inf), value)
        return found


def series_of(evidence: Evidence) -> Series:
    """The metrics of the evidence."""
    return evidence.kept("metrics", "series", lambda: _read(evidence))


def _read(evidence: Evidence) -> Series:
    frame = evidence.metrics
    if frame.empty:
        none = np.empty(0, dtype=np.int64)
        nothing = np.empty((0, 0))
        return Series(times=none, after=none > 0, values=nothing, told=nothing > 0, services=(), metrics=())
    found = metric_table(frame, _ticks(frame["time_unix_nano"].to_numpy(), evidence.start_ns))
    table = found.ffill().fillna(0.0)
    times = table.index.to_numpy()
    return Series(
        times=times,
        after=times >= evidence.normal_until_ns,
        values=table.to_numpy(dtype=float),
        told=found.notna().to_numpy(),
        services=tuple(map(str, table.columns.get_level_values(0))),
        metrics=tuple(map(str, table.columns.get_level_values(1))),
    )


def _ticks(times: np.ndarray, start_ns: int) -> np.ndarray:
    """The times as they are when few differ (all services are asked at once), else whole seconds from the start."""
    length_s = (times.max(initial=start_ns) - start_ns) / NS_PER_S
    if len(np.unique(times)) <= 4 * length_s + 4:
        return times
    return start_ns + (times - start_ns) // NS_PER_S * NS_PER_S
