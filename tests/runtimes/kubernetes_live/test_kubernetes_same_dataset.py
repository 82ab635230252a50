"""The same scenario on processes and in the cluster: datasets of one schema, with one set of names."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

RUNTIMES = ("process", "kubernetes")
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
    ("logs", ["service_name"]),
)


@pytest.fixture(scope="module")
def cases(api, tmp_path_factory):
    """The directory of one case for each runtime; whatever the verdict on such short windows, it is whole."""
    found = {}
    for runtime in RUNTIMES:
        directory = tmp_path_factory.mktemp(runtime)
        (directory / "test_it.py").write_text(SCENARIO)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--anomod-runtime={runtime}", "test_it.py"],
            cwd=directory, env={**os.environ, "ANOMOD_STATE_DIR": str(directory / "state")},
            capture_output=True, text=True,
        )  # fmt: skip
        whole = list((directory / "anomod-dataset").rglob("case.json"))
        assert len(whole) == 1, done.stdout + done.stderr
        found[runtime] = whole[0].parent
    return found


@pytest.mark.parametrize("table", ["logs", "metrics", "traces", "api_responses", "coverage", "label"])
def test_the_columns_are_the_same(cases, table):
    """Name for name and type for type, and there are rows in all of them."""
    process, cluster = (pq.read_table(cases[runtime] / f"{table}.parquet") for runtime in RUNTIMES)
    assert cluster.schema.equals(process.schema)
    assert process.num_rows > 0
    assert cluster.num_rows > 0


@pytest.mark.parametrize(("table", "columns"), NAMES)
def test_the_names_are_the_same(cases, table, columns):
    """Services, metrics with their units, files and what the label says of the root cause."""
    process, cluster = (
        set(pq.read_table(cases[runtime] / f"{table}.parquet").select(columns).to_pandas().itertuples(index=False))
        for runtime in RUNTIMES
    )
    assert cluster == process
