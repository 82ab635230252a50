"""RCAEval: a directory a case, wide metrics a second, logs and traces as CSV and Parquet, the label in the path.

Layouts RE2 (resources, network, stores, processes) and RE3 (faults in code) as published at
https://zenodo.org/records/14590730, and the Parquet files that RCAEval 1.8's `read_metrics`, `read_logs` and
`read_traces` look for. Its own numbering of code faults (f1 to f5) is not ours: ours keep their names.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._stretch import SEVERAL, SHORT_NAMES, Stretch, stretch_with_cause, without_slot
from pytest_anomod.model.clock import NS_PER_S

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.dataset.read_case import DatasetCase

FAULTS = {
    "cpu_contention": "cpu",
    "memory_pressure": "mem",
    "disk_stress": "disk",
    "disk_throttle": "disk",
    "connection_pool_exhaustion": "socket",
    "network_delay": "delay",
    "network_loss": "loss",
}
"""RCAEval's names of faults; of others the name is ours, with hyphens."""
INDICATORS = {"cpu": "cpu", "mem": "mem", "disk": "diskio", "socket": "socket", "delay": "latency", "loss": "latency"}
"""The figure that names the cause, as RCAEval's main.py takes it from the fault."""
ERROR_NUMBER = 17
"""OpenTelemetry's severity number from which on a line is an error."""


class RcaEval:
    """RCAEval 1.8: RE2 and RE3 layout, `<service>_<fault>/<n>/`; metrics are rates a second, times whole seconds."""

    name = "rcaeval"

    def export(self, data: Dataset, out: Path, losses: Losses) -> None:
        """Write each case with a root cause, and cases.parquet, which leads from its directory to our case_id."""
        import pandas as pd

        numbers: Counter[Path] = Counter()
        index = []
        for case in data:
            label = case.label
            if len(label.causes) > 1:
                losses.case(SEVERAL)
                continue
            stretch = stretch_with_cause(case, losses)
            if stretch is None:
                continue
            fault = FAULTS.get(label.fault, label.fault.replace("_", "-"))
            edition = "RE3" if label.level == "code" else "RE2"
            place = Path(edition, f"{edition}-{_short(label.system)}", f"{_service(label.root_cause_service)}_{fault}")
            numbers[place] += 1
            place = place / str(numbers[place])
            (out / place).mkdir(parents=True)
            _write(case, stretch, out / place, losses)
            index.append(
                {
                    "path": place.as_posix(),
                    "service": label.root_cause_service,
                    "fault": fault,
                    "indicator": INDICATORS.get(fault),
                    "inject_time": stretch.alarm_ns // NS_PER_S,
                    "case_id": case.case_id,
                    "scenario": label.scenario,
                }
            )
            losses.written += 1
        pd.DataFrame(index).to_parquet(out / "cases.parquet", index=False)


def _short(system: str) -> str:
    return SHORT_NAMES.get(system, system.replace("_", "-"))


def _service(name: str | None) -> str:
    """A name that RCAEval doesn't cut: it takes for the service what stands before the first underscore."""
    return str(name).replace("_", "-")


def _write(case: DatasetCase, stretch: Stretch, place: Path, losses: Losses) -> None:
    from pytest_anomod.exporters import _rcaeval_series as series

    without_slot(case, ("metrics", "logs", "traces"), losses)
    (place / "inject_time.txt").write_text(f"{stretch.alarm_ns // NS_PER_S}\n")
    traces, metrics = stretch.cut(case, "traces", losses), stretch.cut(case, "metrics", losses)
    traces["service_name"] = traces["service_name"].map(_service)
    metrics["service_name"] = metrics["service_name"].map(_service)
    buckets = metrics["metric_name"].str.endswith("_bucket")
    losses.rows("metrics", int(buckets.sum()), "buckets of histograms; count and mean are taken")
    wide = series.metrics_wide(metrics, stretch)
    wide.to_csv(place / "metrics.csv", index=False)
    wide.to_parquet(place / "metrics.parquet", index=False)
    series.metrics_simple(wide, traces, stretch).to_csv(place / "simple_metrics.csv", index=False)
    kept = ("case_id", "phase", "time_unix_nano", "service_name", "service_instance_id")
    losses.columns("metrics", metrics, (*kept, "metric_name", "value", "kind", "unit"))
    if "logs" in case.modalities:
        logs = _logs(stretch.cut(case, "logs", losses), losses)
        _both(logs, place / "logs")
        series.log_series(logs, stretch).to_csv(place / "logts.csv", index=False)
    if "traces" in case.modalities:
        _both(_traces(traces, losses), place / "traces")
        latency, errors = series.trace_series(traces, stretch)
        latency.to_csv(place / "tracets_lat.csv", index=False)
        errors.to_csv(place / "tracets_err.csv", index=False)


def _both(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path.with_suffix(".csv"), index=False)
    frame.to_parquet(path.with_suffix(".parquet"), index=False)


def _logs(frame: pd.DataFrame, losses: Losses) -> pd.DataFrame:
    import pandas as pd

    from pytest_anomod.exporters._rcaeval_series import templates

    taken = ("case_id", "phase", "time_unix_nano", "service_name", "service_instance_id", "severity_number")
    losses.columns("logs", frame, (*taken, "severity_text", "body"))
    lines, numbers = templates(frame["body"])
    return pd.DataFrame(
        {
            "time": pd.to_datetime(frame["time_unix_nano"], unit="ns").dt.strftime("%H:%M"),
            "timestamp": frame["time_unix_nano"],
            "container_name": frame["service_name"].map(_service),
            "pod_name": frame["service_instance_id"],
            "message": frame["body"],
            "level": frame["severity_text"],
            "error": frame["severity_number"] >= ERROR_NUMBER,
            "cluster_id": numbers,
            "log_template": lines,
        }
    )


def _traces(frame: pd.DataFrame, losses: Losses) -> pd.DataFrame:
    import pandas as pd

    taken = ("case_id", "phase", "phase_end", "time_unix_nano", "service_name", "trace_id", "span_id", "duration_ns")
    losses.columns("traces", frame, (*taken, "parent_span_id", "span_name", "status_code"))
    micros = frame["time_unix_nano"] // 1000
    return pd.DataFrame(
        {
            "time": pd.to_datetime(frame["time_unix_nano"], unit="ns").dt.strftime("%H:%M"),
            "traceID": frame["trace_id"],
            "spanID": frame["span_id"],
            "serviceName": frame["service_name"],
            "methodName": frame["span_name"],
            "operationName": frame["span_name"],
            "startTimeMillis": micros // 1000,
            "startTime": micros,
            "duration": frame["duration_ns"] // 1000,
            "statusCode": (frame["status_code"] == "ERROR").astype(int),
            "parentSpanID": frame["parent_span_id"],
        }
    )


OFFERS = (RcaEval(),)
