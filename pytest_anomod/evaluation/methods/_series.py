"""The metrics of a case as a matrix, one row a tick and one column a service's metric: rates, gauges, mean lengths."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pandas as pd

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.model.clock import NS_PER_S

_GAUGE = "gauge"
_COUNTERS = ("counter", "histogram")
_CUMULATIVE = r"_(?:total|sum|count)$"
"""What Prometheus calls a counter, where its kind is not told."""
_SUM, _COUNT, _BUCKET = "_sum", "_count", "_bucket"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """`values[tick, column]`; counters are rates a second, histograms a rate (`_count`) and a mean (`_mean`).

    Labels are summed up, so that a column is one metric of one service. What is missing keeps its last value, or 0
    before there is any (as RCAEval reads its tables). `after` says which ticks come after the alarm.
    """

    times: np.ndarray
    after: np.ndarray
    values: np.ndarray
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
        return Series(times=none, after=none > 0, values=np.empty((0, 0)), services=(), metrics=())
    names = frame["metric_name"].astype(str)
    frame = frame[~names.str.endswith(_BUCKET)].assign(metric_name=names)
    frame = frame.assign(time_unix_nano=_ticks(frame["time_unix_nano"].to_numpy(), evidence.start_ns))
    keys = ["service_name", "metric_name", "attributes"]
    frame = frame.assign(one=frame.groupby(keys, observed=True, sort=False).ngroup())
    frame = frame.groupby(["one", "time_unix_nano"], observed=True, sort=True).last().reset_index()
    frame["value"] = _rates(frame)
    table = frame.pivot_table(
        index="time_unix_nano", columns=["service_name", "metric_name"], values="value", aggfunc="sum", observed=True
    )
    table = _with_means(table).ffill().fillna(0.0)
    times = table.index.to_numpy()
    return Series(
        times=times,
        after=times >= evidence.normal_until_ns,
        values=table.to_numpy(dtype=float),
        services=tuple(map(str, table.columns.get_level_values(0))),
        metrics=tuple(map(str, table.columns.get_level_values(1))),
    )


def _ticks(times: np.ndarray, start_ns: int) -> np.ndarray:
    """The times as they are when few differ (all services are asked at once), else whole seconds from the start."""
    length_s = (times.max(initial=start_ns) - start_ns) / NS_PER_S
    if len(np.unique(times)) <= 4 * length_s + 4:
        return times
    return start_ns + (times - start_ns) // NS_PER_S * NS_PER_S


def _rates(frame: pd.DataFrame) -> np.ndarray:
    """Values of gauges; of counters the rise a second since the row before of the same series.

    A counter that falls was begun anew. One that appears later than the first round of scrapes, in which services are
    asked one after the other, began at 0; what one of that round grew by before is not known, its next rate stands in.
    """
    times, values = frame["time_unix_nano"].to_numpy(), frame["value"].to_numpy(dtype=float)
    first = np.ones(len(frame), dtype=bool)
    first[1:] = np.diff(frame["one"].to_numpy()) != 0
    rise = np.diff(values, prepend=0.0)
    rise = np.where(first | (rise < 0), values, rise)
    steps = np.diff(times, prepend=0)
    pace = np.median(steps[~first]) if not first.all() else 0
    unknown = first & (times - times.min(initial=times[0] if len(times) else 0) <= pace)
    step_s = np.where(first, NS_PER_S, steps) / NS_PER_S
    rates = np.where(unknown, np.nan, rise / np.maximum(step_s, 1e-3))
    rates = np.where(unknown & ~np.roll(first, -1), np.roll(rates, -1), rates)
    names, kinds = frame["metric_name"].astype(str), frame["kind"].astype(str)
    untold = ~kinds.isin((_GAUGE, *_COUNTERS)) & names.str.contains(_CUMULATIVE)
    return np.where((kinds.isin(_COUNTERS) | untold).to_numpy(), rates, values)


def _with_means(table: pd.DataFrame) -> pd.DataFrame:
    """Sums of histograms become means: seconds a request instead of seconds a second."""
    made: dict[tuple[str, str], pd.Series] = {}
    columns: Any = table.columns  # pairs, which the stubs take for text
    for service, metric in columns:
        count = (service, re.sub(f"{_SUM}$", _COUNT, metric))
        if metric.endswith(_SUM) and count in table:
            rate = table[count]
            made[service, metric.removesuffix(_SUM) + "_mean"] = (table[service, metric] / rate).where(rate > 0)
    sums = [column for column in table.columns if column[1].endswith(_SUM)]
    return pd.concat([table.drop(columns=sums), pd.DataFrame(made, index=table.index)], axis=1)
