"""The tables of a datapack: as a collector of OpenTelemetry leaves them in ClickHouse ("raw"), and as converted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pytest_anomod.dataset.series import metric_table
from pytest_anomod.exporters._stretch import Stretch

CLIENT = "loadgenerator"
"""What the platform calls the source of all requests; it looks for root spans of this service."""

NAMES = {"container_memory_working_set_bytes": "container.memory.working_set"}
CPU = ("container_cpu_usage_seconds_total", "container.cpu.usage")
"""A counter of ours, and the gauge (cores) that the platform knows."""

TRACES = {
    "Timestamp": "time",
    "TraceId": "trace_id",
    "SpanId": "span_id",
    "ParentSpanId": "parent_span_id",
    "SpanName": "span_name",
    "SpanKind": "attr.span_kind",
    "ServiceName": "service_name",
    "Duration": "duration",
    "StatusCode": "attr.status_code",
}
LOGS = {
    "Timestamp": "time",
    "TraceId": "trace_id",
    "SpanId": "span_id",
    "SeverityText": "level",
    "ServiceName": "service_name",
    "Body": "message",
}
METRICS = {"TimeUnix": "time", "MetricName": "metric", "Value": "value", "ServiceName": "service_name"}
HISTOGRAMS = {"TimeUnix": "time", "MetricName": "metric", "ServiceName": "service_name"} | {
    name: name.lower() for name in ("Count", "Sum", "Min", "Max")
}
RESOURCE = (
    "k8s.node.name", "k8s.namespace.name", "k8s.statefulset.name", "k8s.deployment.name", "k8s.replicaset.name",
    "k8s.pod.name", "k8s.container.name",
)  # fmt: skip
PEERS = ("destination_workload", "source_workload", "destination", "source")
"""Attributes that the converted metrics always have as columns; of ours only the pod is told."""


def moments(times: Any) -> pd.Series:
    """Nanoseconds as timestamps, UTC."""
    return pd.Series(pd.to_datetime(np.asarray(times), unit="ns", utc=True))


def traces(spans: pd.DataFrame, requests: pd.DataFrame) -> pd.DataFrame:
    """Raw spans: those of services, and a root span of the client for each request that began a trace.

    `requests` has a column `failed` besides.
    """
    spans = spans.assign(parent_span_id=spans["parent_span_id"].fillna(""))
    spans["attributes"] = spans["attributes"].map(_texts())
    if len(requests):
        roots = requests[requests["trace_id"].fillna("") != ""]
        client = pd.DataFrame(
            {
                "time_unix_nano": roots["time_unix_nano"],
                "trace_id": roots["trace_id"],
                "span_id": roots.get("span_id", ""),
                "parent_span_id": "",
                "span_name": "HTTP " + roots["method"].astype(str) + " http://" + roots["service_name"].astype(str)
                + roots["route"].astype(str),
                "span_kind": "CLIENT",
                "service_name": CLIENT,
                "service_instance_id": f"{CLIENT}-1",
                "duration_ns": roots["duration_ns"],
                "status_code": np.where(roots["failed"], "ERROR", "UNSET"),
                "attributes": [
                    json.dumps({"http.method": method, "http.status_code": str(code)})
                    for method, code in zip(roots["method"], roots["status_code"], strict=True)
                ],
            }
        )  # fmt: skip
        spans = pd.concat([client, spans[client.columns]], ignore_index=True).sort_values("time_unix_nano")
    return pd.DataFrame(
        {
            "Timestamp": moments(spans["time_unix_nano"]),
            "TraceId": spans["trace_id"].to_numpy(),
            "SpanId": spans["span_id"].to_numpy(),
            "ParentSpanId": spans["parent_span_id"].to_numpy(),
            "SpanName": spans["span_name"].to_numpy(),
            "SpanKind": spans["span_kind"].str.capitalize().to_numpy(),
            "ServiceName": spans["service_name"].to_numpy(),
            "ResourceAttributes": _resources(spans, "service.name", "pod.name"),
            "SpanAttributes": spans["attributes"].to_numpy(),
            "Duration": spans["duration_ns"].to_numpy(dtype="uint64"),
            "StatusCode": spans["status_code"].str.capitalize().to_numpy(),
        }
    )


def logs(frame: pd.DataFrame) -> pd.DataFrame:
    """Raw log lines."""
    return pd.DataFrame(
        {
            "Timestamp": moments(frame["time_unix_nano"]),
            "TraceId": frame["trace_id"].fillna("").to_numpy(),
            "SpanId": frame["span_id"].fillna("").to_numpy(),
            "SeverityText": frame["severity_text"].str.upper().to_numpy(),
            "ServiceName": frame["service_name"].to_numpy(),
            "Body": frame["body"].to_numpy(),
            "ResourceAttributes": _resources(frame, "service.name", "k8s.pod.name"),
        }
    )


def metrics(frame: pd.DataFrame, stretch: Stretch) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Raw gauges, counters (as they count) and histograms; CPU time is a gauge too, in cores, by its known name."""
    kinds = frame["kind"].astype(str)
    histograms = frame[kinds == "histogram"]
    gauges = _samples(frame[~kinds.isin(("counter", "histogram"))])
    gauges["MetricName"] = gauges["MetricName"].replace(NAMES)
    cpu = frame[frame["metric_name"] == CPU[0]]
    if len(cpu):
        gauges = pd.concat([gauges, _cpu(cpu)], ignore_index=True).sort_values("TimeUnix", ignore_index=True)
    return gauges, _samples(frame[kinds == "counter"]), _histograms(histograms)


def _samples(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "TimeUnix": moments(frame["time_unix_nano"]),
            "MetricName": frame["metric_name"].to_numpy(),
            "Value": frame["value"].to_numpy(dtype=float),
            "ServiceName": frame["service_name"].to_numpy(),
            "ResourceAttributes": _resources(frame, "service.name", "k8s.pod.name"),
            "Attributes": frame["attributes"].map(_texts()).to_numpy(),
        }
    )


def _cpu(frame: pd.DataFrame) -> pd.DataFrame:
    rates = metric_table(frame, frame["time_unix_nano"].to_numpy()).stack([0, 1]).reset_index()
    rates.columns = pd.Index(["time_unix_nano", "service_name", "metric_name", "value"])
    pods = frame.drop_duplicates("service_name").set_index("service_name")["service_instance_id"]
    rates["service_instance_id"] = rates["service_name"].map(pods)
    return _samples(rates.assign(metric_name=CPU[1], attributes="{}"))


def _histograms(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a moment and series: `_count` and `_sum` side by side. The buckets have no column."""
    names = frame["metric_name"].astype(str)
    parts = names.str.extract(r"^(?P<name>.*)_(?P<part>count|sum)$")
    kept = frame.assign(name=parts["name"], part=parts["part"]).dropna(subset="part")
    keys = ["time_unix_nano", "name", "service_name", "service_instance_id", "attributes"]
    table = kept.pivot_table(index=keys, columns="part", values="value", observed=True).reset_index()
    return pd.DataFrame(
        {
            "TimeUnix": moments(table["time_unix_nano"]),
            "MetricName": table["name"].to_numpy(),
            "ServiceName": table["service_name"].to_numpy(),
            "ResourceAttributes": _resources(table, "service.name", "k8s.pod.name"),
            "Attributes": table["attributes"].map(_texts()).to_numpy(),
            "Count": table.get("count", pd.Series(dtype=float)).to_numpy(dtype=float),
            "Sum": table.get("sum", pd.Series(dtype=float)).to_numpy(dtype=float),
            "Min": np.nan,
            "Max": np.nan,
        }
    )


def converted(raw: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """A raw table with the columns that the platform's own converter makes of it."""
    made = raw.rename(columns=names).drop(
        columns=["ResourceAttributes", "Attributes", "SpanAttributes"], errors="ignore"
    )
    pods = raw["ResourceAttributes"].map(_reader("k8s.pod.name", "pod.name"))
    made["attr.k8s.pod.name"] = pods
    if names is TRACES:
        codes = raw["SpanAttributes"].map(_reader("http.response.status_code", "http.status_code"))
        made["attr.http.request.method"] = raw["SpanAttributes"].map(_reader("http.request.method", "http.method"))
        made["attr.http.response.status_code"] = pd.to_numeric(codes, errors="coerce").astype("UInt16")
        made["attr.k8s.service.name"] = raw["ServiceName"]
    elif names is not LOGS:
        others = [f"attr.{name}" for name in (*RESOURCE, *PEERS) if f"attr.{name}" not in made]
        made[others] = pd.DataFrame(None, index=made.index, columns=others, dtype="str")
    return made


def trace_times(raw: pd.DataFrame) -> pd.DataFrame:
    """First and last moment of each trace."""
    ends = raw["Timestamp"] + pd.to_timedelta(raw["Duration"].astype("int64"), unit="ns")
    groups = pd.DataFrame({"TraceId": raw["TraceId"], "Start": raw["Timestamp"], "End": ends}).groupby("TraceId")
    return groups.agg(Start=("Start", "min"), End=("End", "max")).reset_index()


def conclusion(normal: pd.DataFrame, abnormal: pd.DataFrame) -> pd.DataFrame:
    """How each kind of request went before and after the alarm: success and duration in seconds, as users saw it."""
    sides = {}
    for side, raw in (("Normal", normal), ("Abnormal", abnormal)):
        mine = raw[raw["ServiceName"] == CLIENT]
        seconds = (mine["Duration"] / 1e9).groupby(mine["SpanName"])
        sides[f"{side}AvgDuration"] = seconds.mean()
        sides[f"{side}SuccRate"] = (mine["StatusCode"] != "Error").groupby(mine["SpanName"]).mean()
        for percent in (90, 95, 99):
            sides[f"{side}P{percent}"] = seconds.quantile(percent / 100)
    table = pd.DataFrame(sides).rename_axis("SpanName").reset_index()
    table.insert(1, "Issues", "{}")
    return table


def _resources(frame: pd.DataFrame, service: str, pod: str) -> np.ndarray:
    """A JSON object a row that names service and instance."""
    made: dict[tuple[str, str], str] = {}
    pairs = zip(frame["service_name"], frame["service_instance_id"].fillna(""), strict=True)
    keys = [(str(name), str(instance)) for name, instance in pairs]
    for name, instance in dict.fromkeys(keys):
        made[name, instance] = json.dumps({service: name, pod: instance})
    return np.array([made[key] for key in keys], dtype=object)


def _texts() -> Callable[[str], str]:
    """Attributes with all values as text, as ClickHouse holds them."""

    @cache
    def text(attributes: str) -> str:
        return json.dumps(
            {
                key: value if isinstance(value, str) else json.dumps(value)
                for key, value in json.loads(attributes).items()
            }
        )

    return text


def _reader(*keys: str) -> Callable[[str], str | None]:
    """The first of these attributes that there is."""

    @cache
    def read(attributes: str) -> str | None:
        found = json.loads(attributes)
        return next((found[key] for key in keys if key in found), None)

    return read
