"""Cases of a dataset in our own layout."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.audit.material import AuditCase, FileFacts, Material
from pytest_anomod.dataset.read import load_dataset
from pytest_anomod.dataset.read_case import DatasetCase
from pytest_anomod.dataset.tables import read_parquet, to_frame
from pytest_anomod.model.fault import Level

if TYPE_CHECKING:
    import pandas as pd

CONTENT = {
    "logs": ("service_name", "body"),
    "metrics": ("service_name", "metric_name", "value"),
    "traces": ("service_name", "span_name", "duration_ns"),
    "api_responses": ("route", "status_code", "duration_ns"),
}
"""What of a table is never the same in two cases that were both recorded; coverage may well be."""


def read(path: Path) -> Material:
    """The material of the dataset at a path; DatasetError when there is none."""
    return Material(path=path, form="pytest-anomod", cases=tuple(map(_case, load_dataset(path))))


def _case(case: DatasetCase) -> AuditCase:
    label = case.label

    def read_table(name: str) -> pd.DataFrame | None:
        return to_frame(read_parquet(case.directory / f"{name}.parquet")) if name in case.modalities else None

    return AuditCase(
        case_id=case.case_id,
        system=label.system,
        scenario=label.scenario,
        target=label.root_cause_service or "",
        is_control=label.level == Level.NORMAL,
        level=label.level,
        verdict=label.verdict,
        modalities=case.modalities,
        read=read_table,
        # of faults in turn those of the first, which `target` is
        windows={str(one.phase): (one.start_ns, one.end_ns) for one in reversed(case.timeline.windows)},
        started_ns=case.timeline.start_ns,
        facts=lambda: {name: facts for name in CONTENT if (facts := _facts(name, read_table(name)))},
        stored=case,
    )


def _facts(name: str, frame: pd.DataFrame | None) -> FileFacts | None:
    """Rows and digest of what a table holds beside ids and times."""
    import pandas as pd

    columns = [column for column in CONTENT[name] if frame is not None and column in frame]
    if frame is None or not len(frame) or not columns:
        return None
    rows = pd.util.hash_pandas_object(frame[columns], index=False).to_numpy()
    return FileFacts(bytes=len(frame), digest=hashlib.sha256(rows.tobytes()).hexdigest())
