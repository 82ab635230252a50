"""Cases of systems that have no source of some modalities: written, read, checked and counted with what they have."""

from __future__ import annotations

import json

import dataset_builder as build
import pytest

from pytest_anomod.dataset.read import LABEL_COLUMNS, load_dataset
from pytest_anomod.dataset.stats import render, stats
from pytest_anomod.dataset.tables import table_columns
from pytest_anomod.dataset.validate import validate
from pytest_anomod.dataset.write import write_index
from pytest_anomod.model import catalog
from pytest_anomod.model.timeline import Phase

WHY = "no service sends spans"
TABLES = {table.name: table for table in build.TABLES}


def made(out, **more):
    """A dataset of one case without traces and coverage."""
    absent = {"traces": WHY, "coverage": "no agent"}
    build.build_case(out, case_id="20261122T0425Z-aaaa", absent=absent, **more)
    write_index(out)
    return out


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    return made(tmp_path_factory.mktemp("datasets") / "poor")


def test_what_no_case_has_is_a_table_without_rows(poor):
    """It has the columns and types of one with rows, those of the label too."""
    data = load_dataset(poor)
    assert data.modalities == ("logs", "metrics", "api_responses")
    wanted = [column.name for column in table_columns(catalog.find("modalities", "traces"))]
    assert data.traces.columns.tolist() == [*wanted, *LABEL_COLUMNS, "is_anomalous", "fine_phase"]
    assert len(data.traces) == 0
    assert data.traces["duration_ns"].dtype == "int64"
    assert data.traces["is_anomalous"].dtype == bool
    assert data.traces["service_name"].dtype == "category"
    assert data.coverage["covered"].dtype == bool


def test_columns_are_chosen_of_tables_without_rows_too(poor):
    data = load_dataset(poor, columns=["duration_ns"])
    own = [name for name in data.traces.columns if name not in LABEL_COLUMNS]
    assert own == ["case_id", "time_unix_nano", "phase", "duration_ns", "is_anomalous", "fine_phase"]


def test_cases_say_what_they_lack_and_why(poor):
    data = load_dataset(poor)
    assert json.loads(data.cases["absent"][0]) == {"traces": WHY, "coverage": "no agent"}
    case = next(iter(data))
    assert case.absent == case.label.absent == {"traces": WHY, "coverage": "no agent"}
    assert len(case.traces) == 0
    assert "span_name" in case.traces


def test_a_case_that_has_it_stands_beside_one_that_has_not(tmp_path):
    out = made(tmp_path)
    build.build_case(out, case_id="20261122T0425Z-bbbb", start_ns=build.START_NS + 3_600 * build.SECOND)
    write_index(out)
    data = load_dataset(out)
    assert set(data.traces["case_id"]) == {"20261122T0425Z-bbbb"}
    assert [json.loads(text) for text in data.cases["absent"]] == [{"traces": WHY, "coverage": "no agent"}, {}]
    assert validate(out, TABLES) == []


def test_an_absence_that_is_explained_is_no_problem(poor):
    assert validate(poor, TABLES) == []


def test_label_and_manifest_must_say_the_same(tmp_path):
    path = next(made(tmp_path).glob("*/*/*/case.json"))
    manifest = json.loads(path.read_text())
    manifest["absent"] = {"traces": WHY, "coverage": "no agent", "logs": "who knows"}
    path.write_text(json.dumps(manifest))
    found = [problem.what for problem in validate(tmp_path, TABLES)]
    assert any(what == "says that logs is absent (who knows), and has a table of it" for what in found)
    assert any(what.startswith("says absent={'coverage': 'no agent', 'traces':") for what in found)


def without_anomaly(name, columns):
    """No log line in the anomaly window."""
    if name != "logs":
        return
    anomaly = build.case_timeline().window(Phase.ANOMALY)
    rows = [row for row, time in enumerate(columns["time_unix_nano"]) if not anomaly.start_ns <= time < anomaly.end_ns]
    for field, values in columns.items():
        columns[field] = [values[row] for row in rows]


@pytest.mark.parametrize(("silent", "problems"), [((), 1), (("logs",), 0)])
def test_a_window_without_rows_is_no_loss_where_nobody_has_to_write(tmp_path, silent, problems):
    found = validate(made(tmp_path, edit=without_anomaly, may_be_silent=silent), TABLES)
    assert ["has no row in the anomaly window" in problem.what for problem in found] == [True] * problems


@pytest.mark.parametrize(("silent", "problems"), [((), 1), (("traces",), 0)])
def test_only_services_that_send_spans_are_asked_for_them(tmp_path, silent, problems):
    def other_service(name, columns):
        if name == "traces":
            count = len(columns["trace_id"])
            columns["trace_id"] = [f"{row:032x}" for row in range(10**6, 10**6 + count)]
            columns["service_name"] = ["text-service"] * count

    build.build_case(tmp_path, edit=other_service, may_be_silent=silent)
    write_index(tmp_path)
    found = validate(tmp_path, TABLES)
    assert ["have no span in traces.parquet" in problem.what for problem in found] == [True] * problems


def test_figures_of_what_is_absent_are_empty(poor):
    figures = stats(poor)
    assert {figures.systems[0][name] for name in ("traces", "spans", "coverage")} == {None}
    assert figures.systems[0]["log lines"] > 0
    assert figures.cases[0]["absent"] == "traces, coverage"
    assert figures.cases[0]["target p95 ms"] == (None, None)
    assert "traces, coverage" in render(poor)
