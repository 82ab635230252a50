"""Nezha (FSE 2023, https://github.com/IntelligentDDS/Nezha): telemetry by minute and a fault list; for LogLead too."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._days import append, in_time_order
from pytest_anomod.exporters._stretch import Stretch, without_slot
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.dataset.read_case import DatasetCase

COLUMNS = (
    "CpuUsage(m)", "CpuUsageRate(%)", "MemoryUsage(Mi)", "MemoryUsageRate(%)", "SyscallRead", "SyscallWrite",
    "NetworkReceiveBytes", "NetworkTransmitBytes", "PodClientLatencyP90(s)", "PodServerLatencyP90(s)",
    "PodClientLatencyP95(s)", "PodServerLatencyP95(s)", "PodClientLatencyP99(s)", "PodServerLatencyP99(s)",
    "PodWorkload(Ops)", "PodSuccessRate(%)", "NodeCpuUsageRate(%)", "NodeMemoryUsageRate(%)",
    "NodeNetworkReceiveBytes",
)  # fmt: skip
"""All must be there; those that nothing of ours answers to are empty."""
METRICS = {
    "container_cpu_usage_seconds_total": ("CpuUsage(m)", 1_000.0),
    "container_memory_working_set_bytes": ("MemoryUsage(Mi)", 1 / 2**20),
    "container_fs_reads_bytes_total": ("SyscallRead", 1.0),
    "container_fs_writes_bytes_total": ("SyscallWrite", 1.0),
}
"""By metric its column and what a value (a rate, of a counter) is multiplied with."""
OTHER = "metrics that Nezha's columns don't name"


class Nezha:
    """Nezha: <system>/{construct_data,rca_data}/<day>/{log,trace,metric,traceid}/ and the fault list of each day."""

    name = "nezha"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write normal rows below construct_data, rows from the alarm on below rca_data; controls are all normal."""
        faults: dict[Path, dict[str, list[Json]]] = {}
        roots: dict[str, dict[str, dict[str, str]]] = {}
        for case, stretch in in_time_order(data, losses):
            without_slot(case, ("metrics", "traces", "logs"), losses)
            _write(case, stretch, out / case.label.system, losses)
            if case.label.root_cause_service is None:
                continue
            for number, cause in enumerate(case.label.causes):
                began_ns = stretch.alarm_ns if not number else (cause.inject_start_unix_nano or stretch.alarm_ns)
                when = dt.datetime.fromtimestamp(began_ns // NS_PER_S, dt.UTC)
                day = out / case.label.system / "rca_data" / f"{when:%Y-%m-%d}"
                entry = {
                    "inject_time": f"{when:%Y-%m-%d %H:%M:%S}",
                    "inject_timestamp": str(began_ns // NS_PER_S),
                    "inject_pod": next(iter(cause.root_cause_instances), cause.root_cause_service),
                    "inject_type": cause.fault,
                }
                faults.setdefault(day, {}).setdefault(f"{when:%H}", []).append(entry)
                root = cause.root_cause_service
                places = roots.setdefault(case.label.system, {}).setdefault(root, {})
                places[cause.fault] = cause.root_cause_code_function or root
        for day, hours in faults.items():
            _json(day / f"{day.name}-fault_list.json", hours)
        for system, services in roots.items():
            kinds = sorted({fault for found in services.values() for fault in found})
            whole = {name: {kind: found.get(kind, "") for kind in kinds} for name, found in services.items()}
            name = "root_cause_ts.json" if system == "train_ticket" else "root_cause_hipster.json"
            _json(out / system / "rca_data" / name, whole)


def _json(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _write(case: DatasetCase, stretch: Stretch, home: Path, losses: Losses) -> None:
    logs = _logs(stretch.cut(case, "logs", losses), losses)
    traces = _traces(stretch.cut(case, "traces", losses), losses)
    faulty = case.label.root_cause_service is not None
    for frame, folder in ((logs, "log"), (traces, "trace")):
        for (minute, after), part in frame.groupby(["minute", frame["ns"] >= stretch.alarm_ns], sort=True):
            day, clock = str(minute).split(" ")
            side = home / ("rca_data" if after and faulty else "construct_data") / day
            append(part.drop(columns=["minute", "ns"]), side / folder / f"{clock}_{folder}.csv")
            if folder == "trace":
                (side / "traceid").mkdir(exist_ok=True)
                ids = part["TraceID"].drop_duplicates().to_frame()
                ids.to_csv(side / "traceid" / f"{clock}_traceid.csv", mode="a", header=False, index=False)
    metrics = stretch.cut(case, "metrics", losses)
    known = metrics["metric_name"].isin(METRICS)
    losses.rows("metrics", int((~known).sum()), OTHER)
    for day, pod, part in _metrics(metrics[known], stretch):
        append(part, home / "construct_data" / day / "metric" / f"{pod}_metric.csv")


def _minutes(frame: pd.DataFrame) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(frame["time_unix_nano"], unit="ns").dt.strftime("%Y-%m-%d %H_%M")


def _logs(frame: pd.DataFrame, losses: Losses) -> pd.DataFrame:
    """Lines as a container engine wraps them; LogLead keeps what comes after the id of the span."""
    import pandas as pd

    taken = ("case_id", "phase", "time_unix_nano", "service_name", "service_instance_id", "trace_id", "span_id", "body")
    losses.columns("logs", frame, (*taken, "severity_text", "severity_number"))
    times = pd.to_datetime(frame["time_unix_nano"], unit="ns").dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spans, traces = frame["span_id"].fillna(""), frame["trace_id"].fillna("")
    text = "TraceID: " + traces + " SpanID: " + spans + " " + frame["severity_text"] + " " + frame["body"]
    wrapped = [
        json.dumps({"log": f"{line}\n", "stream": "stdout", "time": time}, ensure_ascii=False)
        for line, time in zip(text, times, strict=True)
    ]
    return pd.DataFrame(
        {
            "minute": _minutes(frame),
            "ns": frame["time_unix_nano"],
            "Timestamp": times,
            "TimeUnixNano": frame["time_unix_nano"],
            "Node": "",
            "PodName": _pods(frame),
            "Container": frame["service_name"],
            "TraceID": traces,
            "SpanID": spans,
            "Log": wrapped,
        }
    )


def _traces(frame: pd.DataFrame, losses: Losses) -> pd.DataFrame:
    import pandas as pd

    taken = ("case_id", "phase", "phase_end", "time_unix_nano", "service_name", "service_instance_id", "trace_id")
    losses.columns("traces", frame, (*taken, "span_id", "parent_span_id", "span_name", "duration_ns"))
    known = set(frame["span_id"])
    parents = frame["parent_span_id"].where(frame["parent_span_id"].isin(known), "root")  # ours are the client's
    return pd.DataFrame(
        {
            "minute": _minutes(frame),
            "ns": frame["time_unix_nano"],
            "TraceID": frame["trace_id"],
            "SpanID": frame["span_id"],
            "ParentID": parents,
            "PodName": _pods(frame),
            "OperationName": frame["span_name"],
            "StartTimeUnixNano": frame["time_unix_nano"],
            "EndTimeUnixNano": frame["time_unix_nano"] + frame["duration_ns"],
            "Duration": frame["duration_ns"] // 1_000,
        }
    )


def _metrics(frame: pd.DataFrame, stretch: Stretch) -> list[tuple[str, str, pd.DataFrame]]:
    """Day, pod and rows, one a second."""
    import pandas as pd

    from pytest_anomod.dataset.series import metric_table

    found = []
    for pod, part in frame.groupby(_pods(frame), observed=True):
        table = metric_table(part, part["time_unix_nano"].to_numpy() // NS_PER_S * NS_PER_S)
        table.columns = table.columns.get_level_values(1)
        times = pd.to_datetime(table.index, unit="ns")
        made = pd.DataFrame(
            {
                "Time": times.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
                "TimeStamp": table.index // NS_PER_S,
                "PodName": pod,
            }
        )
        columns = {METRICS[name][0]: (table[name] * METRICS[name][1]).to_numpy() for name in table.columns}
        for name in COLUMNS:
            made[name] = columns.get(name)
        found.append((times[0].strftime("%Y-%m-%d"), str(pod), made))
    return found


def _pods(frame: pd.DataFrame) -> pd.Series:
    return frame["service_instance_id"].fillna(frame["service_name"])


OFFERS = (Nezha(),)
