"""A case as graphs: services are nodes, calls are edges, a window of a second is a graph; plain arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pytest_anomod.dataset.read_case import DatasetCase
from pytest_anomod.dataset.series import metric_table
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.modality import HOST
from pytest_anomod.model.timeline import QUIET, Phase

WINDOW_S = 1
NODE_FEATURES = (
    "requests", "errors", "mean_latency_s", "max_latency_s", "log_lines", "log_errors", "cpu_cores", "memory_bytes",
    "disk_bytes_per_s",
)  # fmt: skip
EDGE_FEATURES = ("calls", "errors", "mean_latency_s")
METRICS = {
    "container_cpu_usage_seconds_total": "cpu_cores",
    "container_memory_working_set_bytes": "memory_bytes",
    "container_fs_reads_bytes_total": "disk_bytes_per_s",
    "container_fs_writes_bytes_total": "disk_bytes_per_s",
}
ERROR_NUMBER = 17
"""OpenTelemetry's severity number from which on a line is an error."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Graphs:
    """W windows, N services, E calls that occur in any window of the case.

    `x[W, N, 9]` are NODE_FEATURES, `edge_index[2, E]` caller and callee, `edge_attr[W, E, 3]` EDGE_FEATURES (0 where a
    call did not occur), `y_window[W]` 1 in the anomaly window, `y_root[W, N]` 1 for the root cause then, `y_affected`
    likewise for the services that the label says were worse off (-1: it says nothing). Of several root causes each has
    its own while it is in.
    """

    services: tuple[str, ...]
    starts_ns: np.ndarray
    x: np.ndarray
    edge_index: np.ndarray
    edge_attr: np.ndarray
    y_window: np.ndarray
    y_root: np.ndarray
    y_affected: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it by name, without objects, so that np.load needs no pickle."""
        names = {"node_features": NODE_FEATURES, "edge_features": EDGE_FEATURES, "services": self.services}
        others = {name: getattr(self, name) for name in ("starts_ns", "x", "edge_index", "edge_attr")}
        labels = {name: getattr(self, name) for name in ("y_window", "y_root", "y_affected")}
        return {**others, **labels, **{name: np.array(values) for name, values in names.items()}}


def graphs_of(case: DatasetCase) -> Graphs | None:
    """The graphs of baseline, control and anomaly window; None where a case has none of these of a second or more."""
    starts, anomalous = _windows(case)
    if not len(starts):
        return None
    frames = {name: case.table(name) for name in ("traces", "logs", "metrics")}
    named = set().union(*(set(frame["service_name"].astype(str)) for frame in frames.values()))
    services = tuple(sorted(named - {HOST}))
    x = np.zeros((len(starts), len(services), len(NODE_FEATURES)), dtype=np.float32)
    spans = _placed(frames["traces"], starts, services)
    _put_spans(x, spans[spans["span_kind"] == "SERVER"])
    _put_logs(x, _placed(frames["logs"], starts, services))
    _put_metrics(x, frames["metrics"], starts, services)
    edge_index, edge_attr = _edges(spans, services, len(starts))
    y_root = np.zeros((len(starts), len(services)), dtype=np.int8)
    y_affected = np.full_like(y_root, -1)
    label = case.label
    for cause in label.causes:
        if cause.root_cause_service in services:
            begin_ns, end_ns = cause.seen_unix_nano or 0, cause.recover_start_unix_nano or case.timeline.end_ns
            while_in = anomalous & (starts >= begin_ns) & (starts < end_ns)
            y_root[while_in, services.index(cause.root_cause_service)] = 1
    affected = getattr(label, "affected_services", None)
    if affected is not None:
        y_affected[:] = 0
        y_affected[np.ix_(anomalous, np.isin(services, list(affected)))] = 1
    return Graphs(
        services=services,
        starts_ns=starts,
        x=x,
        edge_index=edge_index,
        edge_attr=edge_attr,
        y_window=anomalous.astype(np.int8),
        y_root=y_root,
        y_affected=y_affected,
    )


def _windows(case: DatasetCase) -> tuple[np.ndarray, np.ndarray]:
    """Starts of whole windows of the phases that are sure, and which of them are anomalous."""
    starts, anomalous = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=bool)]
    step = WINDOW_S * NS_PER_S
    for window in case.timeline.windows:
        if window.phase in (*QUIET, Phase.ANOMALY):
            mine = window.start_ns + step * np.arange((window.end_ns - window.start_ns) // step, dtype=np.int64)
            starts.append(mine)
            anomalous.append(np.full(len(mine), window.phase is Phase.ANOMALY))
    return np.concatenate(starts), np.concatenate(anomalous)


def _placed(frame: pd.DataFrame, starts: np.ndarray, services: Sequence[str]) -> pd.DataFrame:
    """The rows that lie in a window, with its number and that of the service."""
    times = frame["time_unix_nano"].to_numpy(dtype=np.int64)
    places = np.searchsorted(starts, times, side="right") - 1
    inside = (places >= 0) & (times < starts[np.maximum(places, 0)] + WINDOW_S * NS_PER_S)
    numbers = {name: number for number, name in enumerate(services)}
    nodes = frame["service_name"].astype(str).map(numbers)
    return frame.assign(window=places, node=nodes)[inside & nodes.notna().to_numpy()].astype({"node": int})


def _put_spans(x: np.ndarray, spans: pd.DataFrame) -> None:
    seconds = spans["duration_ns"].astype(float) / NS_PER_S
    groups = seconds.groupby([spans["window"], spans["node"]])
    errors = (spans["status_code"] == "ERROR").groupby([spans["window"], spans["node"]]).sum()
    _put(x, "requests", groups.size())
    _put(x, "errors", errors)
    _put(x, "mean_latency_s", groups.mean())
    _put(x, "max_latency_s", groups.max())


def _put_logs(x: np.ndarray, logs: pd.DataFrame) -> None:
    keys = [logs["window"], logs["node"]]
    errors = logs["severity_number"] >= ERROR_NUMBER
    _put(x, "log_lines", errors.groupby(keys).size())
    _put(x, "log_errors", errors.groupby(keys).sum())


def _put_metrics(x: np.ndarray, metrics: pd.DataFrame, starts: np.ndarray, services: Sequence[str]) -> None:
    """Rates and gauges as of the last sample until the end of a window."""
    mine = metrics[metrics["metric_name"].isin(METRICS) & metrics["service_name"].isin(services)]
    if mine.empty:
        return
    table = metric_table(mine, mine["time_unix_nano"].to_numpy()).ffill().fillna(0.0)
    rows = np.searchsorted(table.index.to_numpy(), starts + WINDOW_S * NS_PER_S) - 1
    values = np.where((rows >= 0)[:, None], table.to_numpy()[np.maximum(rows, 0)], 0.0)
    columns: Any = table.columns  # pairs, which the stubs take for text
    for place, (service, metric) in enumerate(columns):
        x[:, services.index(service), NODE_FEATURES.index(METRICS[metric])] += values[:, place]


def _edges(spans: pd.DataFrame, services: Sequence[str], windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Calls between services: CLIENT spans whose peer is one."""
    numbers = {name: number for number, name in enumerate(services)}
    callees = spans["peer"].map(numbers)
    calls = spans.assign(callee=callees)[(spans["span_kind"] == "CLIENT") & callees.notna()].astype({"callee": int})
    pairs = sorted(set(zip(calls["node"], calls["callee"], strict=True)))
    attributes = np.zeros((windows, len(pairs), len(EDGE_FEATURES)), dtype=np.float32)
    if pairs:
        numbered = {pair: number for number, pair in enumerate(pairs)}
        edges = [numbered[pair] for pair in zip(calls["node"], calls["callee"], strict=True)]
        frame = pd.DataFrame(
            {
                "window": calls["window"].to_numpy(),
                "edge": edges,
                "error": (calls["status_code"] == "ERROR").to_numpy(),
                "seconds": calls["duration_ns"].to_numpy(dtype=float) / NS_PER_S,
            }
        )
        figures = frame.groupby(["window", "edge"]).agg(
            calls=("error", "size"), errors=("error", "sum"), seconds=("seconds", "mean")
        )
        at = figures.index.get_level_values
        attributes[at(0), at(1)] = figures.to_numpy(dtype=np.float32)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T, attributes


def _put(x: np.ndarray, feature: str, figures: pd.Series) -> None:
    at = figures.index.get_level_values
    x[at(0), at(1), NODE_FEATURES.index(feature)] = figures.to_numpy(dtype=np.float32)
