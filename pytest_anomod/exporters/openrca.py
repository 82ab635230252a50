"""OpenRCA (ICLR 2025, https://github.com/microsoft/OpenRCA): telemetry by day, queries, and a record of root causes.

A folder a system, laid out as its `Market`. Clocks are UTC+8 there, and here too; telemetry of controls is in it, a
record they have none.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._days import append, in_time_order
from pytest_anomod.exporters._stretch import Stretch, without_slot
from pytest_anomod.model.clock import NS_PER_S

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.dataset.read_case import DatasetCase

ZONE = dt.timezone(dt.timedelta(hours=8))
RECORD = ("level", "component", "timestamp", "datetime", "reason")
CAUSES = ("case_id", "scenario", "component", "reason")
QUERY = ("task_index", "instruction", "scoring_points")


class OpenRca:
    """OpenRCA: <system>/telemetry/YYYY_MM_DD/{metric,trace,log}/*.csv, query.csv, record.csv, causes.csv."""

    name = "openrca"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write the telemetry of all cases in order of time, a query and a record for each with a root cause."""
        for case, stretch in in_time_order(data, losses):
            home = out / case.label.system
            day = home / "telemetry" / _moment(stretch.alarm_ns)[:10].replace("-", "_")
            _metrics(case, stretch, day / "metric", losses)
            _traces(case, stretch, day / "trace", losses)
            _logs(case, stretch, day / "log", losses)
            without_slot(case, ("metrics", "traces", "logs"), losses)
            if case.label.root_cause_service is not None:
                _truth(case, stretch, home)


def _moment(time_ns: int) -> str:
    return dt.datetime.fromtimestamp(time_ns // NS_PER_S, ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _truth(case: DatasetCase, stretch: Stretch, home: Path) -> None:
    """Of each root cause a record and a row of causes.csv, all answers; and a query for time, component and reason.

    That is OpenRCA's task_7.
    """
    causes, points = case.label.causes, ""
    for number, cause in enumerate(causes, start=1):
        component, reason = cause.root_cause_service, cause.fault.replace("_", " ")
        began_ns = stretch.alarm_ns if number == 1 else (cause.inject_start_unix_nano or stretch.alarm_ns)
        when, which = _moment(began_ns), "only" if len(causes) == 1 else f"{number}-th"
        _line(home / "record.csv", RECORD, (cause.level, component, began_ns // NS_PER_S, when, reason))
        _line(home / "causes.csv", CAUSES, (case.case_id, case.label.scenario, component, reason))
        points += (
            f"The {which} root cause occurrence time is within 1 minutes (i.e., <=1min) of {when}\n"
            f"The {which} predicted root cause component is {component}\n"
            f"The {which} predicted root cause reason is {reason}\n"
        )
    failures = "a single failure was" if len(causes) == 1 else f"{len(causes)} failures were"
    instruction = (
        f"From {_moment(stretch.start_ns)} to {_moment(stretch.end_ns)} {failures} observed in the system. "
        "Find out when it began, the component that is its root cause, and the reason."
    )
    _line(home / "query.csv", QUERY, ("task_7", instruction, points))


def _line(path: Path, head: tuple[str, ...], values: tuple[object, ...]) -> None:
    is_new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        if is_new:
            lines.writerow(head)
        lines.writerow(values)


def _metrics(case: DatasetCase, stretch: Stretch, folder: Path, losses: Losses) -> None:
    """metric_container.csv: every sample as it was scraped; labels are part of the name of the figure."""
    frame = stretch.cut(case, "metrics", losses)
    losses.columns("metrics", frame, set(frame.columns) - {"unit", "kind"})
    labels = frame["attributes"].where(frame["attributes"] != "{}", "")
    made: dict[str, Any] = {
        "timestamp": frame["time_unix_nano"] // NS_PER_S,
        "cmdb_id": _component(frame),
        "kpi_name": frame["metric_name"].astype(str) + labels,
        "value": frame["value"],
    }
    append(frame.assign(**made)[list(made)], folder / "metric_container.csv")


def _traces(case: DatasetCase, stretch: Stretch, folder: Path, losses: Losses) -> None:
    """trace_span.csv: start in milliseconds, duration in microseconds."""
    frame = stretch.cut(case, "traces", losses)
    losses.columns("traces", frame, set(frame.columns) - {"attributes", "peer"})
    made: dict[str, Any] = {
        "timestamp": frame["time_unix_nano"] // 1_000_000,
        "cmdb_id": _component(frame),
        "span_id": frame["span_id"],
        "trace_id": frame["trace_id"],
        "duration": frame["duration_ns"] // 1_000,
        "type": frame["span_kind"].str.lower(),
        "status_code": (frame["status_code"] == "ERROR").astype(int),
        "operation_name": frame["span_name"],
        "parent_span": frame["parent_span_id"],
    }
    append(frame.assign(**made)[list(made)], folder / "trace_span.csv")


def _logs(case: DatasetCase, stretch: Stretch, folder: Path, losses: Losses) -> None:
    """log_service.csv: time in seconds."""
    frame = stretch.cut(case, "logs", losses)
    taken = ("case_id", "phase", "time_unix_nano", "service_name", "service_instance_id", "severity_number")
    losses.columns("logs", frame, (*taken, "severity_text", "body"))
    made: dict[str, Any] = {
        "log_id": case.case_id + "-" + frame.index.astype(str),
        "timestamp": frame["time_unix_nano"] // NS_PER_S,
        "cmdb_id": _component(frame),
        "log_name": frame["severity_text"].str.lower(),
        "value": frame["body"],
    }
    append(frame.assign(**made)[list(made)], folder / "log_service.csv")


def _component(frame: pd.DataFrame) -> pd.Series:
    """The service, which is what records name; all instances of one are one component."""
    return frame["service_name"].astype(str)


OFFERS = (OpenRca(),)
