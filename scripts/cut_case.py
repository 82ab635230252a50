"""Cuts a stored case down to some kilobytes for tests/data: a share of its requests, short ids, no headers, no bodies.

Usage: python scripts/cut_case.py CASE OUT SHARE, where SHARE of the requests is kept, such as 0.3. The verdict is that
of the checks on what is left; `anomod judge OUT` then holds later checks against it.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pytest_anomod.checks import judge, run_checks
from pytest_anomod.checks.gauges import SETTINGS, WATCHED
from pytest_anomod.dataset.layout import read_json
from pytest_anomod.dataset.stored_view import stored_view
from pytest_anomod.dataset.write import CaseWriter
from pytest_anomod.judge_again import cases_at
from pytest_anomod.model import catalog
from pytest_anomod.model.modality import HOST

EMPTIED = {"request_headers": "{}", "response_headers": "{}", "attributes": "{}", "request_body": "", "url": ""}
ROUNDED = 3
"""Values and durations keep so many significant digits."""
ERROR = 17
"""Of lines below this severity only the number is kept."""
MS = 1_000_000
"""Times are kept in milliseconds."""


def cut(source: Path, out: Path, share: float) -> str:
    """Write the cut case below `out`; return its verdict."""
    case = next(iter(cases_at(source)))
    frames = {name: _thinned(name, case.table(name), share) for name in case.modalities}
    writer = CaseWriter(out, case.label.system, case.label.scenario, case.case_id)
    for name in ("scenario.json", "timeline.json"):
        writer.write_json(name, read_json(case.directory / name))
    journal = read_json(case.directory / "journal.json")
    for played in (*journal["run"], *journal["rollbacks"], *journal["steady_states"]["before"]["probes"]):
        played["activity"] = {"name": played["activity"]["name"]}
    parts = {key: [{"name": one["name"]} for one in journal["experiment"][key]] for key in ("method", "rollbacks")}
    writer.write_json("experiment.json", parts)
    writer.write_json("journal.json", {**journal, "experiment": parts})
    _shorten_ids(frames)
    for name, frame in frames.items():
        writer.write_table(catalog.find("modalities", name), _columns(frame), case.timeline)
    view = dataclasses.replace(stored_view(case), frames=frames)
    findings = run_checks(view)
    verdict = str(judge(view, findings))
    writer.write_label(dataclasses.replace(case.label, verdict=verdict))
    for path in writer.directory.glob("*.parquet"):
        _strip(path)
    kept = ("expects", "dropped", "absent", "may_be_silent", "problems", "versions")
    manifest = {key: case.manifest[key] for key in kept} | {"verdict": verdict}
    told = [dataclasses.asdict(finding) | {"evidence": {}} for finding in findings]
    writer.complete({**manifest, "findings": told})
    return verdict


def _strip(path: Path) -> None:
    """Write a table anew without the docs of its columns, which are most of a small file."""
    table = pq.read_table(path, partitioning=None)
    plain = pa.schema([pa.field(field.name, field.type, field.nullable) for field in table.schema])
    pq.write_table(table.cast(plain), path, compression="zstd", store_schema=False)


def _thinned(name: str, frame: pd.DataFrame, share: float) -> pd.DataFrame:
    """Rows of a share of the traces; metrics and coverage whole."""
    if "trace_id" in frame:
        numbers = frame["trace_id"].map(lambda text: int(text[-6:], 16) / 16**6 if text else 0.0)
        frame = frame[(numbers < share).to_numpy()]
    frame = frame.assign(time_unix_nano=frame["time_unix_nano"] // MS * MS)
    for column in {"value", "duration_ns", "delay_ns"} & {*frame}:
        frame[column] = _rounded(frame[column])
    if name == "metrics":
        judged = {name for gauge in WATCHED for name in (gauge.metric, gauge.over)} | {*SETTINGS}
        names = frame["metric_name"]
        return frame[names.isin(judged) | (frame["service_name"] == HOST)].reset_index(drop=True)
    if name == "logs":
        frame["body"] = frame["body"].where(frame["severity_number"] >= ERROR, "-")
    if name == "api_responses":
        frame["response_body"] = frame["response_body"].map(_masked)
    emptied = {key: value for key, value in EMPTIED.items() if key in frame}
    return frame.assign(**emptied).reset_index(drop=True)


def _masked(body: Any) -> Any:
    """A body of the same length and fields: digits and what is quoted, but no field's name, are made equal."""
    if not isinstance(body, str):
        return None
    quoted = r'"(?:[^"\\]|\\.){4,}"(?!\s*:)'
    return re.sub(quoted, lambda text: f'"{"x" * (len(text[0]) - 2)}"', re.sub(r"[0-9]", "1", body))


def _rounded(values: pd.Series) -> pd.Series:
    digits = 10.0 ** (ROUNDED - 1 - np.floor(np.log10(values.abs().where(values != 0, 1).astype(float))))
    return ((values * digits).round() / digits).astype(values.dtype)


def _shorten_ids(frames: dict[str, pd.DataFrame]) -> None:
    """Number traces and spans in order: ids drawn at random are most of a small file."""
    for wanted, digits in ((("trace_id",), 32), (("span_id", "parent_span_id"), 16)):
        known: dict[Any, Any] = {None: None, "": ""}
        for frame in frames.values():
            for column in wanted:
                if column in frame:
                    numbers = [known.setdefault(one, f"{len(known):0{digits}x}") for one in frame[column].map(_plain)]
                    frame[column] = numbers


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    given = frame.drop(columns=[name for name in ("case_id", "phase", "phase_end") if name in frame])
    return {name: [None if pd.isna(value) else value for value in given[name].tolist()] for name in given}


if __name__ == "__main__":
    sys.stdout.write(cut(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])) + "\n")
