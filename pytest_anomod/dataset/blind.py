"""Lists for each modality the columns that were observed and give no label away: all that may be read blindly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DatasetError, ScenarioError

if TYPE_CHECKING:
    import pandas as pd

COMMON = ("time_unix_nano", "service_name", "service_instance_id")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "logs": (
        "severity_number", "severity_text", "body", "trace_id", "span_id", "attributes", "observed_unix_nano",
    ),
    "metrics": ("metric_name", "unit", "kind", "value", "attributes"),
    "traces": (
        "trace_id", "span_id", "parent_span_id", "span_name", "span_kind", "status_code", "duration_ns", "attributes",
        "peer",
    ),
    "api_responses": (
        "journey", "journey_id", "step", "method", "route", "url", "status_code", "error_kind", "duration_ns",
        "delay_ns", "trace_id", "span_id", "request_headers", "request_body", "request_truncated", "response_headers",
        "response_body", "response_truncated", "response_bytes",
    ),
    "coverage": ("file", "function", "line", "covered"),
}  # fmt: skip
"""Columns of telemetry beside COMMON. What is not named here is withheld: a new column is blind until it is added."""

_LINE = ("service_name", "file", "function", "line")


def columns_of(modality: str) -> tuple[str, ...]:
    """The columns of a modality that give no label away; of a third party's, those that it declares itself.

    DatasetError for a modality that neither we nor an installed package knows: its columns could be anything.
    """
    if modality in COLUMNS:
        return (*COMMON, *COLUMNS[modality])
    try:
        declared = catalog.find("modalities", modality).columns
    except ScenarioError as error:
        msg = f"modality {modality!r} can't be read blindly: nobody knows which of its columns are labels ({error})"
        raise DatasetError(msg) from error
    return (*COMMON, *(column.name for column in declared if column.name not in ("phase", "phase_end", *COMMON)))


def blind_id(case_id: str) -> str:
    """The name of a case among blind ones: always the same for the same case, and no word or time of it."""
    return f"case-{hashlib.sha256(case_id.encode()).hexdigest()[:12]}"


def whole_coverage(frame: pd.DataFrame, time_ns: int) -> pd.DataFrame:
    """Coverage with one row a line, at this time: whether it ran in any window.

    Coverage is counted between the edges of the phases, so its windows would tell how many there are, and where.
    """
    merged = frame.groupby(list(_LINE), observed=True, dropna=False)["covered"].any().reset_index()
    return _as_table(merged.assign(time_unix_nano=time_ns))


def split_coverage(frame: pd.DataFrame, start_ns: int, alarm_ns: int) -> pd.DataFrame:
    """Coverage with one row a line for the stretch before the alarm, and one for that after it, at these times.

    Each is the last window of its stretch: in the window before it, while the fault goes in, healthy lines still run.
    """
    import pandas as pd

    times = frame["time_unix_nano"]
    parts = []
    for begin, inside in ((start_ns, times < alarm_ns), (alarm_ns, times >= alarm_ns)):
        rows = frame[inside & (times == times[inside].max())]
        merged = rows.groupby(list(_LINE), observed=True, dropna=False)["covered"].any().reset_index()
        parts.append(merged.assign(time_unix_nano=begin))
    return _as_table(pd.concat(parts, ignore_index=True))


def _as_table(merged: pd.DataFrame) -> pd.DataFrame:
    merged = merged.assign(service_instance_id=None)  # a line of a service, whichever of its instances ran it
    return merged[[*COMMON, *_LINE[1:], "covered"]]
