"""The metrics of a case as one table, a row a tick and a column a service's metric: rates, gauges, mean lengths."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from pytest_anomod.model.clock import NS_PER_S

_GAUGE = "gauge"
_COUNTERS = ("counter", "histogram")
_CUMULATIVE = r"_(?:total|sum|count)$"
"""What Prometheus calls a counter, where its kind is not told."""
_SUM, _COUNT, _BUCKET = "_sum", "_count", "_bucket"


def metric_table(metrics: pd.DataFrame, ticks: np.ndarray) -> pd.DataFrame:
    """One row a tick, columns (service_name, metric_name), missing values NaN; `ticks` has the nanoseconds of each row.

    Counters are rates a second, histograms a rate (`_count`) and a mean (`_mean`). Labels are summed up.
    """
    names = metrics["metric_name"].astype(str)
    wanted = ~names.str.endswith(_BUCKET).to_numpy()
    frame = metrics.assign(time_unix_nano=ticks, metric_name=names)[wanted]
    keys = ["service_name", "metric_name", "attributes"]
    frame = frame.assign(one=frame.groupby(keys, observed=True, sort=False).ngroup())
    frame = frame.groupby(["one", "time_unix_nano"], observed=True, sort=True).last().reset_index()
    frame["value"] = _rates(frame)
    frame = frame.dropna(subset="value")  # a sum of nothing would be 0
    table = frame.pivot_table(
        index="time_unix_nano", columns=["service_name", "metric_name"], values="value", aggfunc="sum", observed=True
    )
    return _with_means(table)


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
