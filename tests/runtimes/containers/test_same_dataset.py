"""The same scenario on processes and in containers: datasets of one schema, with one set of names."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

RUNTIMES = ("process", "docker")
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


@pytest.fixture(scope="module")
def cases(engine, tmp_path_factory):
    """The directory of one case for each runtime; whatever the verdict on such short windows, it is whole."""
    found = {}
    for runtime in RUNTIMES:
        directory = tmp_path_factory.mktemp(runtime)
        (directory / "test_it.py").write_text(SCENARIO)
        words = ["-p", "no:cacheprovider", f"--anomod-runtime={runtime}", "test_it.py"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            cwd=directory,
            env={**os.environ, "ANOMOD_STATE_DIR": str(directory / "state")},
            capture_output=True,
            text=True,
        )
        whole = list((directory / "anomod-dataset").rglob("case.json"))
        assert len(whole) == 1, done.stdout + done.stderr
        found[runtime] = whole[0].parent
    return found


@pytest.mark.parametrize("table", ["logs", "metrics", "traces", "api_responses", "coverage", "label"])
def test_the_columns_are_the_same(cases, table):
    """Name for name and type for type, and there are rows in all of them."""
    process, docker = (pq.read_table(cases[runtime] / f"{table}.parquet") for runtime in RUNTIMES)
    assert docker.schema.equals(process.schema)
    assert process.num_rows > 0
    assert docker.num_rows > 0


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("metrics", ("service_name",)),
        ("metrics", ("metric_name", "unit", "kind")),
        ("coverage", ("service_name", "file")),
        ("label", ("scenario", "system", "fault", "level", "root_cause_service")),
    ],
)
def test_the_names_are_the_same(cases, table, columns):
    """Services, metrics with their units, files and what the label says of the root cause."""
    process, docker = (
        set(pq.read_table(cases[runtime] / f"{table}.parquet").select(columns).to_pandas().itertuples(index=False))
        for runtime in RUNTIMES
    )
    assert docker == process


def test_records_of_services_name_the_same_services_and_spans(cases):
    """Users take different paths from run to run; what most of them take is the same."""
    for table, column in (("traces", "span_name"), ("logs", "service_name")):
        process, docker = (
            pq.read_table(cases[runtime] / f"{table}.parquet").to_pandas()[column].value_counts()
            for runtime in RUNTIMES
        )
        often = {name for counts in (process, docker) for name, count in counts.items() if count > 50}
        assert often <= set(process.index) & set(docker.index)
