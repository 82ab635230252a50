"""The tables of an RCAEval case that are series: metrics a second, counts of log templates, figures of operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pytest_anomod.dataset.series import metric_table
from pytest_anomod.dataset.templates import mask
from pytest_anomod.exporters._stretch import Stretch
from pytest_anomod.model.clock import NS_PER_S

LONG_S = 300
"""From this length on series of logs and traces have RCAEval's step of 15 s; a shorter case would be left with none."""
STEP_S = 15

RESOURCES = {
    "cpu": ("container_cpu_usage_seconds_total", "process_cpu_seconds_total"),
    "mem": ("container_memory_working_set_bytes", "process_resident_memory_bytes"),
    "socket": ("process_open_fds",),
}
"""RCAEval's name of a figure, and the metrics it may be, the first that a service has."""
DISK = ("container_fs_reads_bytes_total", "container_fs_writes_bytes_total")


def seconds(times: pd.Series, stretch: Stretch, step_s: int = 1) -> np.ndarray:
    """Whole unix seconds counted from the alarm: what lies before it has a smaller number, by less than one step."""
    places = (times.to_numpy() - stretch.alarm_ns) // (step_s * NS_PER_S)
    return np.asarray(stretch.alarm_ns // NS_PER_S + places * step_s)


def step_of(stretch: Stretch) -> int:
    """Seconds from row to row in the series of logs and traces."""
    return STEP_S if stretch.end_ns - stretch.start_ns >= LONG_S * NS_PER_S else 1


def metrics_wide(metrics: pd.DataFrame, stretch: Stretch) -> pd.DataFrame:
    """`time`, then `<service>_<metric>`: rates and gauges, one row a second, what is missing NaN."""
    if metrics.empty:
        return pd.DataFrame({"time": pd.Series(dtype="int64")})
    table = metric_table(metrics, seconds(metrics["time_unix_nano"], stretch) * NS_PER_S)
    table.index = table.index // NS_PER_S
    table = table.reindex(range(int(table.index.min()), int(table.index.max()) + 1))
    columns: Any = table.columns  # pairs, which the stubs take for text
    table.columns = pd.Index([f"{service}_{metric}" for service, metric in columns])
    return table.rename_axis("time").copy().reset_index()  # the copy is in one piece, which pandas asks for


def metrics_simple(wide: pd.DataFrame, traces: pd.DataFrame, stretch: Stretch) -> pd.DataFrame:
    """`time`, then of each service cpu (cores), mem (bytes), diskio (bytes/s), socket, workload, error, latencies (s).

    The first four are metrics; the others are counted and measured in the SERVER spans that begin in a second.
    """
    made: dict[str, pd.Series] = {}
    for service in sorted({name.partition("_")[0] for name in wide.columns} - {"time"}):
        for short, candidates in RESOURCES.items():
            there = [f"{service}_{name}" for name in candidates if f"{service}_{name}" in wide]
            if there:
                made[f"{service}_{short}"] = wide[there[0]]
        if disks := [f"{service}_{name}" for name in DISK if f"{service}_{name}" in wide]:
            made[f"{service}_diskio"] = wide[disks].sum(axis=1, min_count=1)
    simple = pd.DataFrame({"time": wide["time"], **made}).set_index("time")
    served = traces[traces["span_kind"] == "SERVER"] if len(traces) else traces
    if len(served):
        simple = simple.join(_red(served, stretch), how="outer")
    return simple.reset_index()


def _red(served: pd.DataFrame, stretch: Stretch) -> pd.DataFrame:
    """Requests, errors and latencies by second, `<service>_<figure>` each; a second without a request has 0 and 0."""
    frame = pd.DataFrame(
        {
            "time": seconds(served["time_unix_nano"], stretch),
            "service": served["service_name"].astype(str).to_numpy(),
            "failed": (served["status_code"] == "ERROR").to_numpy(),
            "length": served["duration_ns"].to_numpy(dtype=float) / NS_PER_S,
        }
    )
    groups = frame.groupby(["time", "service"])
    figures = {
        "workload": groups.size().unstack(fill_value=0),
        "error": groups["failed"].sum().unstack(fill_value=0),
        "latency-50": groups["length"].quantile(0.5).unstack(),
        "latency-90": groups["length"].quantile(0.9).unstack(),
    }
    return pd.concat([table.add_suffix(f"_{name}") for name, table in figures.items()], axis=1)


def log_series(logs: pd.DataFrame, stretch: Stretch) -> pd.DataFrame:
    """`time`, then a count of each `<service>_<template>` by step."""
    keys = logs["container_name"] + "_" + logs["log_template"]
    return _counts(logs["timestamp"], keys, stretch)


def trace_series(traces: pd.DataFrame, stretch: Stretch) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean duration in milliseconds and count of spans in error, by `<service>_<operation>` and step."""
    operations = traces["service_name"].astype(str) + "_" + traces["span_name"].astype(str)
    times = seconds(traces["time_unix_nano"], stretch, step_of(stretch))
    keyed = pd.DataFrame({"time": times, "operation": operations, "ms": traces["duration_ns"].astype(float) / 1e6})
    latency = keyed.groupby(["time", "operation"])["ms"].mean().unstack().reset_index()
    failed = traces["status_code"] == "ERROR"
    errors = _counts(traces["time_unix_nano"][failed], operations[failed], stretch)
    whole = latency[["time"]].merge(errors, on="time", how="left").fillna(0)
    return latency.rename_axis(columns=None), whole.astype("int64")


def _counts(times: pd.Series, keys: pd.Series, stretch: Stretch) -> pd.DataFrame:
    ticks = seconds(times, stretch, step_of(stretch))
    frame = pd.DataFrame({"time": ticks, "key": keys.to_numpy(dtype=object)})
    return frame.groupby(["time", "key"]).size().unstack(fill_value=0).rename_axis(columns=None).reset_index()


def templates(bodies: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The template of each line (what varies masked) and its number within the case."""
    distinct = {body: " ".join(mask(body)) for body in bodies.unique()}
    lines = bodies.map(distinct)
    return lines, pd.Series(pd.factorize(lines)[0], index=bodies.index)
