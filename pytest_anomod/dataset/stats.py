"""Counts what a dataset holds, beside the figures of the AnoMod paper, and shows the effect of each case on users."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pytest_anomod.dataset.read import Dataset, DatasetCase, load_dataset
from pytest_anomod.dataset.tables import read_parquet
from pytest_anomod.dataset.templates import TemplateMiner
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.fault import Json
from pytest_anomod.model.label import Label
from pytest_anomod.model.modality import in_order
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import is_expected
from pytest_anomod.model.workload import is_replayed

PAPER: Mapping[str, Mapping[str, Json]] = {
    "social_network": {
        "cases": 13, "log lines": 3_958_500, "templates": 29, "traces": 2_635, "metrics": 29,
        "API requests": 1_950, "coverage": 0.682,
    },
    "train_ticket": {
        "cases": 13, "log lines": 444_600, "templates": 831, "traces": 63_975, "metrics": 33,
        "API requests": 98_073, "coverage": 0.417,
    },
}  # fmt: skip
"""AnoMod as its paper reports it (12 faults and the normal run of each system; both together 3.08 GB)."""

SYSTEM_COLUMNS = (
    "system", "cases", "log lines", "templates", "traces", "spans", "metrics", "samples", "API requests", "coverage",
    "size",
)  # fmt: skip
CASE_COLUMNS = (
    "case", "scenario", "level", "target", "verdict", "held", "seen s", "gone s", "requests",
    "failed %", "p95 ms", "target p95 ms", "absent",
)  # fmt: skip

FIGURES = {"logs": ("log lines", "templates"), "traces": ("traces", "spans"), "metrics": ("metrics", "samples")}
"""Columns of a system that are empty where none of its cases has the modality."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Rows by column name: one a system (SYSTEM_COLUMNS), and one a case (CASE_COLUMNS), with plain figures.

    Pairs such as failed % are (baseline, anomaly window); with a control the second is the control window.
    """

    path: Path
    systems: tuple[Mapping[str, Json], ...]
    cases: tuple[Mapping[str, Json], ...]


def stats(path: str | os.PathLike[str]) -> Stats:
    """The figures of the dataset at `path`; DatasetError when there is none or a file is damaged."""
    dataset = load_dataset(path)
    cases = sorted(dataset, key=lambda case: (case.label.system, case.label.scenario, case.case_id))
    systems = sorted({case.label.system for case in cases})
    return Stats(
        path=dataset.path,
        systems=tuple(_system_row(dataset, name, [c for c in cases if c.label.system == name]) for name in systems),
        cases=tuple(_case_row(case) for case in cases),
    )


def render(path: str | os.PathLike[str]) -> str:
    """The figures of the dataset at `path` as text: a table of systems beside the paper's, and a table of cases."""
    figures = stats(path)
    if not figures.cases:
        return f"{figures.path}: no complete case"
    rows: list[Mapping[str, Json]] = []
    for row in figures.systems:
        rows.append(row)
        if row["system"] in PAPER:
            rows.append({"system": "  AnoMod, as published", **PAPER[row["system"]]})
    return "\n\n".join(
        [
            f"{figures.path}\n\n{text_table(SYSTEM_COLUMNS, rows)}",
            "cases; a -> b: baseline -> anomaly window (control window); failed: no answer, or 400 and above\n\n"
            + text_table(CASE_COLUMNS, figures.cases),
        ]
    )


def text_table(columns: Sequence[str], rows: Iterable[Mapping[str, Json]]) -> str:
    """Rows as aligned text, figures to the right; a missing value is a dash."""
    body = [[_text(name, row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[place]) for line in [list(columns), *body]) for place in range(len(columns))]
    right = [any(line[place][:1].isdigit() for line in body) and name != "case" for place, name in enumerate(columns)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [list(columns), *body]
    )


def _system_row(dataset: Dataset, system: str, cases: Sequence[DatasetCase]) -> dict[str, Json]:
    miner = TemplateMiner()
    metrics: set[str] = set()
    traces, coverages = 0, []
    for case in cases:
        for item in pc.value_counts(_read(case, "logs", "body")["body"]).to_pylist():
            miner.add(item["values"] or "", item["counts"])
        metrics.update(pc.unique(_read(case, "metrics", "metric_name")["metric_name"]).to_pylist())
        traces += pc.count_distinct(_read(case, "traces", "trace_id")["trace_id"]).as_py()
        coverages.append(line_coverage(_read(case, "coverage", "service_name", "file", "line", "covered")))
    known = [value for value in coverages if value is not None]
    mine = [row for row in dataset.rows if row["system"] == system]

    def total(key: str) -> int:
        return sum(row.get(key) or 0 for row in mine)

    figures: dict[str, Json] = {
        "system": system,
        "cases": len(cases),
        "log lines": total("rows_logs"),
        "templates": len(miner.templates),
        "traces": traces,
        "spans": total("rows_traces"),
        "metrics": len(metrics),
        "samples": total("rows_metrics"),
        "API requests": total("rows_api_responses"),
        "coverage": float(np.mean(known)) if known else None,
        "size": total("bytes"),
    }
    there = {name for case in cases for name in case.modalities}
    of_absent = {name for modality, names in FIGURES.items() if modality not in there for name in names}
    return {name: None if name in of_absent else value for name, value in figures.items()}


def line_coverage(table: pa.Table) -> float | None:
    """Lines covered in any window as a share of all lines seen: the mean over services; None when nothing was seen."""
    if table.num_rows == 0 or "covered" not in table.column_names:
        return None
    lines = table.group_by(["service_name", "file", "line"]).aggregate([("covered", "any")])
    lines = lines.append_column("share", pc.cast(lines["covered_any"], pa.float64()))
    services = lines.group_by("service_name").aggregate([("share", "mean")])
    return float(pc.mean(services["share_mean"]).as_py())


def _case_row(case: DatasetCase) -> dict[str, Json]:
    label = case.label
    responses = _read(case, "api_responses", "phase", "status_code", "error_kind", "journey", "step", "duration_ns")
    failed = failed_rows(responses, replayed=is_replayed(label.workload))
    spans = _read(case, "traces", "phase", "service_name", "duration_ns")
    spans = spans.filter(pc.equal(spans["service_name"], label.target))
    windows = (str(Phase.BASELINE), str(Phase.ANOMALY if case.timeline.window(Phase.ANOMALY) else Phase.CONTROL))
    return {
        "case": label.case_id,
        "scenario": label.scenario,
        "level": label.level,
        "target": label.target,
        "verdict": label.verdict
        if is_expected(label.verdict, label.expects, unasked=True)
        else f"{label.verdict} (not {label.expects})",
        "held": label.held_ratio,
        "seen s": _seconds(label, "inject_start_unix_nano", "seen_unix_nano"),
        "gone s": _seconds(label, "recover_start_unix_nano", "gone_unix_nano"),
        "requests": responses.num_rows,
        "failed %": tuple(_failed_percent(responses, failed, phase) for phase in windows),
        "p95 ms": tuple(_p95_ms(responses, phase) for phase in windows),
        "target p95 ms": tuple(_p95_ms(spans, phase) for phase in windows),
        "absent": ", ".join(in_order(label.absent)) or None,
    }


def _read(case: DatasetCase, modality: str, *columns: str) -> pa.Table:
    """Columns of a table; no rows when the case has no such table."""
    if modality not in case.modalities:
        return pa.table({name: pa.array([], pa.string()) for name in columns})
    return read_parquet(case.directory / f"{modality}.parquet", columns)


def _seconds(label: Label, start: str, end: str) -> float | None:
    first, last = getattr(label, start), getattr(label, end)
    return None if first is None or last is None else (last - first) / 1e9


def _in(table: pa.Table, phase: str) -> pa.Table:
    return table.filter(pc.equal(table["phase"], phase))


def _failed_percent(responses: pa.Table, failed: np.ndarray, phase: str) -> float | None:
    inside = failed[pc.equal(responses["phase"], phase).to_numpy()]
    return float(inside.mean() * 100) if len(inside) else None


def _p95_ms(records: pa.Table, phase: str) -> float | None:
    durations = _in(records, phase)["duration_ns"].to_numpy()
    return float(np.percentile(durations, 95) / 1e6) if len(durations) else None


def _text(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return "-" if set(value) == {None} else " -> ".join(_text(name, item) for item in value)
    if name == "size":
        return f"{value / 2**20:.1f} MiB"
    if isinstance(value, float):
        return f"{value:.3f}" if name in ("coverage", "held") else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
