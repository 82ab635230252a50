"""Cases on one calendar: formats that keep the telemetry of a system by day or by minute, in files of all cases."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.exporters import Losses
from pytest_anomod.exporters._stretch import NO_WINDOWS, Stretch, stretch_of

if TYPE_CHECKING:
    import pandas as pd

    from pytest_anomod.dataset.read import Dataset
    from pytest_anomod.dataset.read_case import DatasetCase

OVERLAP = "it ran at the same time as another case of its system, and the format tells them apart by time alone"


def in_time_order(data: Dataset, losses: Losses) -> Iterator[tuple[DatasetCase, Stretch]]:
    """Cases in order of their start; of those of one system that overlap only the first."""
    rows = sorted(data.rows, key=lambda row: (row["started_unix_nano"] or 0, row["case_id"]))
    until: dict[str, int] = {}
    for case in dataclasses.replace(data, rows=tuple(rows), _cache={}):
        stretch = stretch_of(case)
        if stretch is None:
            losses.case(NO_WINDOWS)
        elif stretch.start_ns < until.get(case.label.system, 0):
            losses.case(OVERLAP)
        else:
            until[case.label.system] = stretch.end_ns
            losses.written += 1
            yield case, stretch


def append(frame: pd.DataFrame, path: Path) -> None:
    """Add rows to a CSV file, which begins with a head."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, mode="a", header=not path.exists(), index=False)
