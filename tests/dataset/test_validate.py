"""Validation: a sound dataset has no problem, and everything that can be wrong is found, placed and explained."""

import json
import shutil

import dataset_builder as build
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pytest_anomod.dataset import tables
from pytest_anomod.dataset.validate import validate
from pytest_anomod.dataset.write import CaseWriter, write_index
from pytest_anomod.model.errors import DatasetError

MODALITIES = {table.name: table for table in build.TABLES}


def problems(out):
    return validate(out, MODALITIES)


def told(out):
    return [f"{problem.path}: {problem.what}" for problem in problems(out)]


def only(out):
    """The one problem of a dataset, as text."""
    found = told(out)
    assert len(found) == 1, "\n".join(found)
    return found[0]


def rewrite(directory, name, change):
    """Replace a table, and its size and checksum in case.json, so that only the content is wrong."""
    path = directory / f"{name}.parquet"
    table = change(pq.ParquetFile(path).read())
    tables.write_parquet(path, table)
    update_manifest(directory, path.name)


def rewrite_json(directory, name, change):
    path = directory / name
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    update_manifest(directory, name)


def update_manifest(directory, name):
    from pytest_anomod.dataset.files import sha256

    manifest = json.loads((directory / "case.json").read_text())
    manifest["files"][name] = {"bytes": (directory / name).stat().st_size, "sha256": sha256(directory / name)}
    (directory / "case.json").write_text(json.dumps(manifest))
    write_index(directory.parents[2])


def broken_case(tmp_path, edit):
    """A dataset of one case, one table of which was edited before it was written."""
    build.build_case(tmp_path, edit=edit)
    write_index(tmp_path)
    return tmp_path


def test_a_sound_dataset_has_no_problem(whole_dataset):
    assert problems(whole_dataset) == []


def test_no_dataset_is_an_error_and_no_problem(tmp_path):
    with pytest.raises(DatasetError, match="is not a dataset"):
        validate(tmp_path, MODALITIES)


def test_a_problem_says_where_what_and_what_to_do(dataset):
    (dataset / "notes.txt").write_text("")
    (problem,) = problems(dataset)
    assert str(problem) == "notes.txt\n    does not belong to a dataset\n    -> move it elsewhere"


@pytest.mark.parametrize(
    "place", ["x.txt", "system=social_network/x.txt", "system=social_network/scenario=control/x", "other/"]
)
def test_foreign_entries_are_found_at_every_level(dataset, place):
    (dataset / place).mkdir() if place.endswith("/") else (dataset / place).write_text("")
    assert only(dataset) == f"{place.rstrip('/')}: does not belong to a dataset"


def test_a_leftover_of_an_interrupted_write_is_told_apart(dataset, case_directory):
    (dataset / ".cases.parquet.ab12.tmp").write_text("")
    assert "is left over from a write that was interrupted" in only(dataset)


def test_companions_of_a_published_dataset_are_no_problem(dataset):
    (dataset / "README.md").write_text("")
    assert problems(dataset) == []


def test_an_incomplete_case_is_found_with_its_reason(dataset):
    CaseWriter(dataset, "social_network", "given_up", "20261122T0700Z-0001").abandon("no such process")
    write_index(dataset)
    assert "case=20261122T0700Z-0001: is incomplete, it has no case.json: no such process" in only(dataset)


def test_a_changed_a_missing_a_cut_and_an_extra_file_are_found(dataset, case_directory):
    path = case_directory / "experiment.json"
    path.write_text(path.read_text().replace("method", "mathod"))
    assert "experiment.json: was changed: its SHA-256 is not" in only(dataset)
    path.write_text("{}")
    assert "experiment.json: has 2 bytes, should have" in only(dataset)
    path.unlink()
    assert only(dataset).endswith("experiment.json: is missing")
    shutil.rmtree(case_directory.parent)
    write_index(dataset)
    other = next(dataset.glob("*/scenario=control/*"))
    (other / "notes.txt").write_text("")
    assert "notes.txt: does not belong to the case, case.json does not list it" in only(dataset)


def test_a_damaged_table_is_found_and_the_rest_is_checked_still(dataset, case_directory):
    (case_directory / "traces.parquet").write_bytes(b"PAR1")
    found = told(dataset)
    assert any("traces.parquet: has 4 bytes, should have" in line for line in found)
    assert any("traces.parquet can't be read as Parquet" in line for line in found)
    assert len(found) == 2


def test_a_damaged_case_json_is_found(dataset, case_directory):
    (case_directory / "case.json").write_text("{}")
    write_index(dataset)
    assert "case.json has no format_version" in only(dataset)


def test_row_counts_that_differ_from_case_json_are_found(dataset, case_directory):
    rewrite(case_directory, "metrics", lambda table: table.slice(0, 140))
    found = told(dataset)
    assert any("metrics.parquet: has 140 rows, case.json says 141" in line for line in found)
    assert any("has rows by phase" in line and "'recovery': 20" in line for line in found)


def test_a_missing_modality_is_found(dataset, case_directory):
    (case_directory / "coverage.parquet").unlink()
    manifest = json.loads((case_directory / "case.json").read_text())
    del manifest["files"]["coverage.parquet"], manifest["tables"]["coverage"]
    (case_directory / "case.json").write_text(json.dumps(manifest))
    write_index(dataset)
    assert "has no table coverage, and case.json does not say why" in only(dataset)


def retyped(table, name, kind):
    place = table.column_names.index(name)
    field = table.schema.field(name)
    return table.set_column(place, pa.field(name, kind, field.nullable), pc.cast(table[name], kind))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: retyped(t, "value", pa.float32()), "value is float not null, should be double not null"),
        (lambda t: t.drop_columns(["unit"]), "unit is missing"),
        (lambda t: t.append_column("colour", pa.array(["red"] * t.num_rows)), "colour is not in the schema"),
        (lambda t: t.select([*t.column_names[:-2], *t.column_names[:-3:-1]]), "its columns are in another order"),
    ],
)
def test_differences_from_the_schema_are_named(dataset, case_directory, change, says):
    rewrite(case_directory, "metrics", change)
    assert only(dataset).endswith(f"metrics.parquet: differs from the schema: {says}")


def test_tables_of_unknown_modalities_are_held_against_each_other(dataset, case_directory):
    rewrite(case_directory, "metrics", lambda table: retyped(table, "value", pa.float32()))
    others = {name: table for name, table in MODALITIES.items() if name != "metrics"}
    assert len(validate(dataset, others)) >= 1


def test_rows_of_a_wrong_phase_and_outside_the_timeline_are_found(dataset, case_directory):
    def shift(table):
        times = pc.add(table["time_unix_nano"], 4 * build.SECOND)
        return table.set_column(1, table.schema.field(1), times)

    rewrite(case_directory, "logs", shift)
    found = told(dataset)
    assert any("logs.parquet: has 40 rows outside the timeline" in line for line in found)
    assert any("rows of a wrong phase, first row 0: warmup, not baseline" in line for line in found)
    assert len(found) == 2


def test_rows_out_of_order_are_found(dataset, case_directory):
    rewrite(case_directory, "logs", lambda table: table.take(pa.array([1, 0, *range(2, table.num_rows)])))
    assert only(dataset).endswith("logs.parquet: is not in order of time")


def test_a_collector_that_was_blind_in_a_window_is_found(tmp_path):
    def edit(name, columns):
        if name == "metrics":
            windows = build.case_timeline()
            keep = [windows.phase_at(time) != "anomaly" for time in columns["time_unix_nano"]]
            for key, values in columns.items():
                columns[key] = [value for value, kept in zip(values, keep, strict=True) if kept]

    assert "metrics.parquet: has no row in the anomaly window (4.0 s)" in only(broken_case(tmp_path, edit))


def test_rows_of_another_case_are_found(dataset, case_directory):
    def foreign(table):
        ids = pa.array(["20261122T0425Z-zzzz"] * table.num_rows)
        return table.set_column(0, table.schema.field(0), ids)

    rewrite(case_directory, "logs", foreign)
    assert "logs.parquet: has rows of case ids ['20261122T0425Z-zzzz']" in only(dataset)


def test_a_moved_case_is_found(dataset, case_directory):
    case_directory.rename(case_directory.parent / "case=20261122T0425Z-eeee")
    write_index(dataset)
    assert "case.json: says case_id='20261122T0425Z-aaaa', its directory '20261122T0425Z-eeee'" in only(dataset)


def test_two_cases_of_one_id_are_found(dataset, case_directory):
    shutil.copytree(case_directory, dataset / "system=social_network" / "scenario=copy" / case_directory.name)
    write_index(dataset)
    found = told(dataset)
    assert any("has the case id 20261122T0425Z-aaaa, as has" in line for line in found)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("scenario.json", lambda s: {**s, "target": "user-service"}, "label.parquet: says target='text-service'"),
        ("scenario.json", lambda s: {**s, "seed": 2}, "label.parquet: says seed=1, scenario.json 2"),
        (
            "scenario.json",
            lambda s: {**s, "fault": {**s["fault"], "parameters": {"cores": 2}}},
            "label.parquet: says parameters={'cores': 1, 'share': 0.5}, scenario.json {'cores': 2}",
        ),
        (
            "journal.json",
            lambda j: {
                **j,
                "run": [{**a, "end": "2026-11-22T04:25:07"} if i == 2 else a for i, a in enumerate(j["run"])],
            },
            "timeline.json: is not what the journal gives, first at onset",
        ),
        ("journal.json", lambda j: {"end": ""}, "journal.json holds no journal"),
    ],
)
def test_label_scenario_journal_and_timeline_must_agree(dataset, case_directory, name, change, says):
    rewrite_json(case_directory, name, change)
    assert says in only(dataset)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seen_unix_nano": 5}, "says seen_unix_nano=5, the timeline 1795321506502000000 (start of anomaly)"),
        ({"steady_again_unix_nano": 5}, "label.parquet: says steady again at 5, before the fault was gone"),
        ({"gone_unix_nano": None}, "label.parquet: says gone_unix_nano=None, the timeline"),
    ],
)  # fmt: skip
def test_times_of_the_label_must_be_edges_of_the_timeline(tmp_path, changes, says):
    build.build_case(tmp_path, **changes)
    write_index(tmp_path)
    assert says in only(tmp_path)


@pytest.mark.parametrize(("lost", "found"), [(1, False), (10, True)])
def test_answered_requests_must_join_to_traces(tmp_path, lost, found):
    """One in 131 may be missing, ten may not; those that got no answer need no trace."""

    def edit(name, columns):
        if name == "api_responses":
            for row in range(20, 20 + lost):
                columns["trace_id"][row] = f"{row:032x}dead"
            columns["trace_id"][-1] = ""
            columns["status_code"][-1] = 0

    said = told(broken_case(tmp_path, edit))
    assert bool(said) is found
    if found:
        assert "10 of 130 answered requests (7.7%) have no span in traces.parquet" in said[0]


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        ("logs", "body", "chaos agent started", "column body gives the label away: 'chaos' in 1 rows, first row 3"),
        ("metrics", "metric_name", "fault_active", "column metric_name gives the label away: 'fault'"),
        ("traces", "attributes", {"x-inject": "1"}, "column attributes gives the label away: 'inject'"),
        ("logs", "body", "thread cpu_contention-1", "column body gives the label away: 'cpu_contention'"),
        ("api_responses", "request_body", "password=pa55word", "column request_body holds a field of a secret name"),
        ("api_responses", "request_headers", {"authorization": "Bearer abc123"}, "an Authorization header in clear"),
    ],
)  # fmt: skip
def test_leaks_and_secrets_in_telemetry_are_found(tmp_path, table, column, value, says):
    def edit(name, columns):
        if name == table:
            columns[column] = list(columns[column])
            columns[column][3] = value

    assert says in only(broken_case(tmp_path, edit))


def test_an_index_that_does_not_say_what_is_there_is_found(dataset):
    build.build_case(dataset, "late", case_id="20261122T0800Z-dddd")
    assert [line for line in told(dataset) if "is stale" in line] == told(dataset)
    (dataset / "cases.parquet").unlink()
    assert told(dataset)[0] == "cases.parquet: is missing"
    write_index(dataset)
    assert problems(dataset) == []
