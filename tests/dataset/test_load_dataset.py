"""Reading a dataset back: nothing lost, joined with the truth, narrowed as asked, and clear words when it is broken."""

import dataclasses
import json

import dataset_builder as build
import pandas as pd
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.dataset import label_rows
from pytest_anomod.dataset.read import to_datetime
from pytest_anomod.dataset.write import CaseWriter
from pytest_anomod.model.errors import DatasetError

CASE = "20261122T0425Z-aaaa"


def test_every_table_comes_back_as_it_was_collected(whole_dataset):
    windows = build.case_timeline()
    case = load_dataset(whole_dataset).case(CASE)
    for table in build.TABLES:
        frame = case.table(table.name)
        columns = build.case_columns(table.name, windows, 10)
        assert len(frame) == len(columns["time_unix_nano"]) > 0
        for column in table.columns:
            values = columns[column.name]
            if column.type == "json":
                assert [json.loads(text) for text in frame[column.name]] == values
            else:
                assert [None if pd.isna(value) else value for value in frame[column.name]] == values, column.name
        assert frame["time_unix_nano"].tolist() == columns["time_unix_nano"]
        assert set(frame["case_id"]) == {CASE}


def test_label_timeline_journal_and_scenario_come_back(whole_dataset):
    case = load_dataset(whole_dataset).case(CASE)
    windows = build.case_timeline()
    assert case.label == build.label(CASE, "perf_cpu_contention", windows)
    assert case.timeline == windows
    assert case.journal.activity("seen").succeeded
    assert case.scenario["fault"]["parameters"] == {"cores": 1, "share": 0.5}
    assert case.manifest["verdict"] == case.verdict == "effective"
    assert "423 traces" in repr(case)


def test_the_tables_of_all_cases_are_joined_with_the_label(whole_dataset):
    logs = load_dataset(whole_dataset).logs
    one = logs[logs["case_id"] == CASE]
    for name, value in {
        "system": "social_network", "scenario": "perf_cpu_contention", "level": "performance",
        "fault": "cpu_contention", "root_cause_service": "text-service", "verdict": "effective",
    }.items():  # fmt: skip
        assert set(one[name]) == {value}
    control = logs[logs["scenario"] == "control"]
    assert control["root_cause_service"].isna().all()
    assert len(logs) == 141 + 141 + 111


def test_anomalous_are_the_rows_of_the_anomaly_window_of_a_fault(whole_dataset):
    spans = load_dataset(whole_dataset).traces
    assert spans["is_anomalous"].dtype == bool
    assert (spans["is_anomalous"] == (spans["phase"] == "anomaly")).all()
    assert spans["is_anomalous"].sum() == 2 * 3 * 40
    assert not spans.loc[spans["scenario"] == "control", "is_anomalous"].any()


def test_times_stay_exact_where_some_are_missing(whole_dataset):
    """A float64 would round nanoseconds to 256."""
    cases = load_dataset(whole_dataset).cases.set_index("case_id")
    again = cases["steady_again_unix_nano"]
    assert again.dtype == "Int64"
    assert again[CASE] % 1_000 == 1
    assert again["20261122T0625Z-cccc"] is pd.NA
    assert cases["is_control"].tolist() == [True, False, False]
    moment = to_datetime(load_dataset(whole_dataset).logs["time_unix_nano"]).iloc[0]
    assert str(moment).endswith("+00:00")
    assert moment.value == load_dataset(whole_dataset).logs["time_unix_nano"].iloc[0]


def test_a_dataset_can_be_narrowed(whole_dataset):
    assert load_dataset(whole_dataset, verdicts=("effective", "normal")).cases["verdict"].tolist() == [
        "normal",
        "effective",
    ]
    assert len(load_dataset(whole_dataset, scenarios="control")) == 1
    assert len(load_dataset(whole_dataset, systems=["social_network"], verdicts=["silent"])) == 1
    narrow = load_dataset(whole_dataset, phases=("anomaly", "control"), columns=["body"]).logs
    assert set(narrow["phase"]) == {"anomaly", "control"}
    assert list(narrow.columns[:4]) == ["case_id", "time_unix_nano", "phase", "body"]
    assert "trace_id" not in narrow
    assert len(narrow) == 120


def test_nothing_chosen_is_an_empty_dataset(whole_dataset):
    empty = load_dataset(whole_dataset, verdicts="broken")
    assert (len(empty), len(empty.cases), len(empty.logs)) == (0, 0, 0)
    assert {"case_id", "phase", "is_anomalous"} <= set(empty.logs.columns)


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"verdicts": "efective"}, "no verdict 'efective' here; did you mean effective"),
        ({"systems": "social"}, "no system 'social' here; did you mean social_network"),
        ({"scenarios": ["contrl"]}, "no scenario 'contrl' here; did you mean control"),
        ({"phases": ["anomalous"]}, "no phase 'anomalous' here; did you mean anomaly"),
    ],
)
def test_a_choice_that_can_not_be_is_named(whole_dataset, choice, says):
    with pytest.raises(DatasetError, match=says):
        load_dataset(whole_dataset, **choice)


def test_tables_are_read_once_and_only_when_asked_for(dataset):
    loaded = load_dataset(dataset)
    for path in dataset.glob("*/*/*/metrics.parquet"):
        path.unlink()
    assert loaded.logs is loaded.logs
    with pytest.raises(DatasetError, match=r"metrics\.parquet is missing"):
        _ = loaded.metrics


def test_it_works_without_an_index_and_with_a_stale_one(dataset):
    with_index = load_dataset(dataset).cases
    build.build_case(dataset, "late", case_id="20261122T0800Z-dddd")
    assert "late" in set(load_dataset(dataset).cases["scenario"])
    (dataset / "cases.parquet").unlink()
    (dataset / "dataset.json").unlink()
    without = load_dataset(dataset).cases
    pd.testing.assert_frame_equal(without[without["scenario"] != "late"].reset_index(drop=True), with_index)


def test_incomplete_cases_are_passed_over(dataset):
    CaseWriter(dataset, "social_network", "killed", "20261122T0700Z-0002")
    assert len(load_dataset(dataset)) == 3


def test_it_tells_what_there_is(whole_dataset):
    told = repr(load_dataset(whole_dataset))
    assert "3 complete cases" in told
    assert "social_network: 3 cases of 3 scenarios (1 effective, 1 normal, 1 silent)" in told
    assert ".traces: 1,179 rows" in told


def test_cases_can_be_gone_through(whole_dataset):
    loaded = load_dataset(whole_dataset)
    assert [case.case_id for case in loaded] == loaded.cases["case_id"].tolist()
    with pytest.raises(DatasetError, match=f"no case '20261122T0425Z-aaab' .* did you mean {CASE}"):
        loaded.case("20261122T0425Z-aaab")
    with pytest.raises(DatasetError, match="has no table 'events'; it has logs, metrics"):
        loaded.case(CASE).table("events")
    with pytest.raises(
        DatasetError, match="has no table 'events'; it has logs, metrics, traces, api_responses, coverage"
    ):
        loaded.table("events")


def test_what_is_no_dataset_is_refused(tmp_path, whole_dataset):
    with pytest.raises(DatasetError, match="does not exist; name the directory"):
        load_dataset(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"is not a dataset: it has no dataset\.json"):
        load_dataset(tmp_path)
    with pytest.raises(DatasetError, match="is a file; name the directory"):
        load_dataset(whole_dataset / "dataset.json")
    with pytest.raises(DatasetError, match=r"it lies inside the dataset .*whole, name that"):
        load_dataset(next(whole_dataset.glob("*/*/case=*")))


@pytest.mark.parametrize("name", ["dataset.json", "case.json"])
def test_a_newer_format_is_refused(dataset, case_directory, name):
    path = (dataset if name == "dataset.json" else case_directory) / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 99}))
    (dataset / "cases.parquet").unlink()
    with pytest.raises(DatasetError, match=r"format version 99, .* reads up to 1; upgrade"):
        load_dataset(dataset)


@pytest.mark.parametrize("content", [b"", b"PAR1 no more", None])
def test_a_damaged_table_is_named(dataset, case_directory, content):
    path = case_directory / "logs.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30] + b"x" * 30 if content is None else content)
    with pytest.raises(DatasetError, match=r"logs\.parquet can't be read as Parquet"):
        _ = load_dataset(dataset).logs


def test_a_damaged_timeline_is_named(dataset, case_directory):
    (case_directory / "timeline.json").write_text('[{"phase": "sunset"}]')
    with pytest.raises(DatasetError, match=r"timeline\.json holds no timeline"):
        _ = load_dataset(dataset).case(CASE).timeline


def test_cases_whose_schemas_clash_are_named(dataset, case_directory):
    windows = build.case_timeline()
    odd = dataclasses.replace(
        build.COVERAGE,
        columns=tuple(
            dataclasses.replace(column, type="string") if column.name == "line" else column
            for column in build.COVERAGE.columns
        ),
    )
    columns = build.case_columns("coverage", windows, 1)
    columns["line"] = [str(line) for line in columns["line"]]
    writer = build.build_case(dataset, "odd", case_id="20261122T0800Z-dddd", complete=False)
    writer.write_table(odd, columns, windows)
    writer.complete({"verdict": "effective"})
    with pytest.raises(DatasetError, match=r"the coverage tables of .* differ in schema"):
        _ = load_dataset(dataset).coverage


def test_plain_pandas_finds_the_partitions(whole_dataset):
    """Users without this package read one modality of all cases with the tools they have."""
    import pyarrow.dataset as ds

    paths = sorted(str(path) for path in whole_dataset.glob("*/*/*/logs.parquet"))
    table = ds.dataset(paths, format="parquet", partitioning="hive", partition_base_dir=str(whole_dataset)).to_table()
    assert set(table["scenario"].to_pylist()) == {"control", "perf_cpu_contention", "service_kill_text"}
    frame = pd.read_parquet(paths)
    assert set(frame["case"].astype(str)) == set(frame["case_id"])
    labels = pd.read_parquet(sorted(str(path) for path in whole_dataset.glob("*/*/*/label.parquet")))
    assert set(labels["scenario"].astype(str)) == set(frame["scenario"].astype(str))


def test_types_of_a_label_are_worked_out_once_for_many_labels(whole_dataset, monkeypatch):
    """Labels of 1,000 cases are to take a second; the types alone took most of it."""
    asked, real = [], label_rows.typing.get_type_hints
    monkeypatch.setattr(label_rows.typing, "get_type_hints", lambda kind: asked.append(kind) or real(kind))
    label_rows._hints.cache_clear()
    (row, *_) = load_dataset(whole_dataset).rows
    rows = [{**row, "case_id": str(number)} for number in range(1_000)]
    assert {label_rows.row_label(row).case_id for row in rows} == {str(number) for number in range(1_000)}
    assert len(asked) == 1
