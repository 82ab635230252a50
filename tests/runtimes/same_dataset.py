"""The same scenario on processes and on another runtime: what must be the same in the datasets of both.

A test file takes what it asks from here, and gives the fixture `cases` the name of its runtime:

    from same_dataset import cases_of, test_the_columns_are_the_same, ...
"""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

SCENARIO = """
from pytest_anomod import anomaly
from pytest_anomod.faults import CodeException
from pytest_anomod.model.scenario import Durations

@anomaly(
    system="social_network",
    fault=CodeException(
        function="text_service:TextHandler.compose_text", probe="ComposeText", message="no such text",
        arguments={"req_id": 1, "text": "hello"},
    ),
    target="text-service",
    durations=Durations(warmup_s=1, baseline_s=4, anomaly_s=4, recovery_s=4),
)
def test_same(case):
    case.run()
"""
NAMES = (
    ("metrics", ["service_name"]),
    ("metrics", ["metric_name", "unit", "kind"]),
    ("coverage", ["service_name", "file"]),
    ("label", ["scenario", "system", "fault", "level", "root_cause_service"]),
)
OFTEN = 50
"""Users take different paths from run to run; what comes oftener than that is on most of them."""


def cases_of(other: str, tmp_path_factory):
    """The directory of one case on processes and of one on the other runtime.

    Whatever the verdict on such short windows, each is whole.
    """
    found = []
    for runtime in ("process", other):
        directory = tmp_path_factory.mktemp(runtime)
        (directory / "test_it.py").write_text(SCENARIO)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--anomod-runtime={runtime}", "test_it.py"],
            cwd=directory, env={**os.environ, "ANOMOD_STATE_DIR": str(directory / "state")},
            capture_output=True, text=True,
        )  # fmt: skip
        whole = list((directory / "anomod-dataset").rglob("case.json"))
        assert len(whole) == 1, done.stdout + done.stderr
        found.append(whole[0].parent)
    return found


@pytest.mark.parametrize("table", ["logs", "metrics", "traces", "api_responses", "coverage", "label"])
def test_the_columns_are_the_same(cases, table):
    """Name for name and type for type, and there are rows in all of them."""
    process, other = (pq.read_table(case / f"{table}.parquet") for case in cases)
    assert other.schema.equals(process.schema)
    assert process.num_rows > 0
    assert other.num_rows > 0


@pytest.mark.parametrize(("table", "columns"), NAMES)
def test_the_names_are_the_same(cases, table, columns):
    """Services, metrics with their units, files and what the label says of the root cause."""
    process, other = (
        set(pq.read_table(case / f"{table}.parquet").select(columns).to_pandas().itertuples(index=False))
        for case in cases
    )
    assert other == process


@pytest.mark.parametrize(("table", "column"), [("traces", "span_name"), ("logs", "service_name")])
def test_what_services_say_often_has_the_same_names(cases, table, column):
    """Spans, and services with logs."""
    process, other = (pq.read_table(case / f"{table}.parquet").to_pandas()[column].value_counts() for case in cases)
    often = {name for counts in (process, other) for name, count in counts.items() if count > OFTEN}
    assert often <= set(process.index) & set(other.index)
