"""Files of AnoMod's published form as frames with our names of columns; times without a zone are taken for UTC."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Files = Sequence[Path]

_TIMES = (
    (re.compile(r"\[(\d{4}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d+)\]"), "%Y-%b-%d %H:%M:%S.%f"),  # boost.log
    (re.compile(r"(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) \["), "%Y/%m/%d %H:%M:%S"),  # nginx
    (re.compile(r"(\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?)"), "ISO8601"),
)
"""How lines begin, or where in them the time stands."""
_SEVERITY = re.compile(r"<(?:error|fatal)>|\[error\]|\bERROR\b")
_GCOV = re.compile(r"^\s*([^:\s]+)\*?:\s*([1-9]\d*):", re.MULTILINE)
_ZONE = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")
_SERVICE_COLUMNS = ("container_label_com_docker_compose_service", "service", "pod", "container", "instance")


def has_naive_times(folder: Path) -> bool:
    """Whether the first metric file of a folder that can be read has dates without a time zone."""
    for path in sorted(folder.rglob("*.csv")):
        with path.open(encoding="utf-8", errors="replace") as file:
            names, first = (file.readline().strip().split(",") for _ in range(2))
        if "timestamp" in names and len(first) > names.index("timestamp"):
            text = first[names.index("timestamp")].strip('"')
            return ":" in text and not _ZONE.search(text)
    return False


def logs(files: Files) -> pd.DataFrame | None:
    """A row a line; a line without a time has that of the one before it."""
    import pandas as pd

    rows = []
    for path in files:
        if path.suffix == ".log":
            service = path.stem.partition("_")[0]
            rows += [(service, line) for line in path.read_text("utf-8", "replace").splitlines() if line]
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=["service_name", "body"])
    times = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns, UTC]")
    for pattern, form in _TIMES:
        texts = frame["body"].str.extract(pattern, expand=False)[times.isna()].dropna()
        parsed = pd.to_datetime(texts.str.replace(",", "."), format=form, utc=True, errors="coerce")
        times.loc[texts.index] = parsed.astype("datetime64[ns, UTC]")
    frame["severity_number"] = frame["body"].str.contains(_SEVERITY).map({True: 17, False: 9})
    times = times.groupby(frame["service_name"]).ffill()
    return frame.assign(time_unix_nano=_ns(times))[times.notna()].reset_index(drop=True)


def metrics(files: Files) -> pd.DataFrame | None:
    """A row a sample; the name of the metric is that of its file, where no column says it."""
    import pandas as pd

    parts = []
    for path in files:
        if path.suffix != ".csv":
            continue
        frame = pd.read_csv(path, low_memory=False)
        if not {"timestamp", "value"} <= {*frame.columns} or frame.empty:
            continue
        service = next((frame[name].astype(str) for name in _SERVICE_COLUMNS if name in frame), "host")
        name = frame["metric_name"].astype(str) if "metric_name" in frame else path.stem
        parts.append(
            pd.DataFrame({"time_unix_nano": _times(frame["timestamp"]), "value": frame["value"].astype(float)})
            .assign(service_name=service, metric_name=name, kind="", attributes="")
            .dropna(subset=["value"])
        )
    return pd.concat(parts, ignore_index=True) if parts else None


def traces(files: Files) -> pd.DataFrame | None:
    """A row a span, of the tables that were made of Jaeger's answers."""
    import pandas as pd

    parts = [pd.read_csv(path, low_memory=False) for path in files if path.name.endswith("traces.csv")]
    parts = [part for part in parts if {"trace_id", "service", "start_time"} <= {*part.columns} and len(part)]
    if not parts:
        return None
    frame = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(
        {
            "time_unix_nano": _times(frame["start_time"]),
            "service_name": frame["service"].astype(str),
            "trace_id": frame["trace_id"].astype(str),
            "span_name": frame.get("operation", pd.Series("", frame.index)).astype(str),
            "duration_ns": (frame.get("duration_us", pd.Series(0, frame.index)).astype(float) * 1_000).astype("int64"),
        }
    )


def api_responses(files: Files) -> pd.DataFrame | None:
    """A row an answer."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for path in files:
        if path.suffix == ".jsonl":
            rows += [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    began = frame["request_start_time"] if "request_start_time" in frame else frame["timestamp"]
    return pd.DataFrame(
        {
            "time_unix_nano": _times(began),
            "service_name": "",
            "route": frame.get("endpoint", pd.Series("", frame.index)).astype(str),
            "status_code": frame["status_code"].fillna(0).astype(int),
            "error_kind": frame.get("error", pd.Series("", frame.index)).fillna("").astype(str),
            "duration_ns": (frame.get("latency_ms", pd.Series(0.0, frame.index)) * 1e6).astype("int64"),
        }
    )


def coverage(files: Files) -> pd.DataFrame | None:
    """A row a line that has code, of gcov's annotated sources; they have no time, so it is 0."""
    import pandas as pd

    rows = []
    for path in files:
        if path.suffix == ".gcov":
            service, name = path.parent.name, path.name.removesuffix(".gcov").replace("#", "/")
            for count, line in _GCOV.findall(path.read_text("utf-8", "replace")):
                if count != "-":
                    rows.append((service, name, int(line), count.isdigit()))
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=["service_name", "file", "line", "covered"])
    return frame.assign(time_unix_nano=0, function="")


def _times(values: pd.Series) -> pd.Series:
    """Seconds since the epoch, or dates, as nanoseconds."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return (values.astype(float) * 1e9).astype("int64")
    return _ns(pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce"))


def _ns(times: pd.Series) -> pd.Series:
    return times.astype("datetime64[ns, UTC]").astype("int64")


READERS: dict[str, Callable[[Files], pd.DataFrame | None]] = {
    "logs": logs,
    "metrics": metrics,
    "traces": traces,
    "api_responses": api_responses,
    "coverage": coverage,
}
