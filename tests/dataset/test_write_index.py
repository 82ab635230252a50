"""The index: one row a complete case, idempotent, tolerant of the rest, and right whoever else writes it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import dataset_builder as build
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pytest_anomod.dataset.write import CaseWriter, write_index
from pytest_anomod.model.errors import DatasetError

HERE = Path(__file__).parent


def stamps(out):
    return {name: (out / name).stat().st_mtime_ns for name in ("dataset.json", "cases.parquet")}


def test_the_index_counts_what_is_there(whole_dataset):
    document = json.loads((whole_dataset / "dataset.json").read_text())
    assert document["format_version"] == 1
    assert document["cases"] == 3
    assert document["systems"] == {"social_network": 3}
    assert document["verdicts"] == {"effective": 1, "normal": 1, "silent": 1}
    rows = {row["scenario"]: row for row in pq.read_table(whole_dataset / "cases.parquet").to_pylist()}
    assert rows["perf_cpu_contention"]["rows_traces"] == 423
    assert rows["control"]["seen_unix_nano"] is None
    assert (whole_dataset / rows["service_kill_text"]["path"] / "case.json").is_file()


def test_writing_it_again_changes_nothing(dataset):
    before = stamps(dataset)
    write_index(dataset)
    assert stamps(dataset) == before


def test_incomplete_and_damaged_cases_are_listed_with_their_reason(dataset, case_directory):
    CaseWriter(dataset, "social_network", "given_up", "20261122T0700Z-0001").abandon("no such process")
    CaseWriter(dataset, "social_network", "killed", "20261122T0700Z-0002")
    (case_directory / "label.parquet").write_bytes(b"PAR1")
    document = write_index(dataset)
    reasons = {Path(entry["path"]).name[5:]: entry["reason"] for entry in document["incomplete"]}
    assert document["cases"] == 2
    assert reasons["20261122T0700Z-0001"] == "no such process"
    assert "its process was killed" in reasons["20261122T0700Z-0002"]
    assert reasons["20261122T0425Z-aaaa"].startswith("damaged: ")


def test_a_damaged_index_is_written_anew(dataset):
    good = (dataset / "cases.parquet").read_bytes()
    (dataset / "cases.parquet").write_bytes(good[:100])
    (dataset / "dataset.json").write_text("{")
    write_index(dataset)
    assert (dataset / "cases.parquet").read_bytes() == good
    assert json.loads((dataset / "dataset.json").read_text())["cases"] == 3


@pytest.mark.parametrize("columns", [None, ["seen_unix_nano", "inject_start_unix_nano", "rows_logs"]])
def test_plain_pandas_reads_exact_times_though_controls_have_none(tmp_path, columns):
    odd = build.START_NS // 1024 * 1024 + 1  # no float of 64 bits is this
    assert int(float(odd)) != odd
    build.build_case(tmp_path, "a", case_id="20261122T0425Z-aaaa", start_ns=odd)
    build.build_case(tmp_path, "b", case_id="20261122T0525Z-bbbb", start_ns=odd, control=True)
    write_index(tmp_path)
    stored = pq.read_table(tmp_path / "cases.parquet").to_pylist()
    frame = pd.read_parquet(tmp_path / "cases.parquet", columns=columns)
    whole = [name for name in frame if name.endswith(("_unix_nano", "_line")) or name.startswith("rows_")]
    assert {"seen_unix_nano", "inject_start_unix_nano"} <= set(whole)
    for name in whole:
        assert str(frame[name].dtype) == "Int64" or str(frame[name].dtype) == "Int32"
        assert [None if value is pd.NA else value for value in frame[name]] == [row[name] for row in stored], name
    assert frame["seen_unix_nano"].isna().tolist() == [False, True]


def test_an_index_of_a_newer_format_is_never_overwritten(dataset):
    (dataset / "dataset.json").write_text('{"format_version": 2, "precious": true}')
    with pytest.raises(DatasetError, match=r"has format version 2, .* upgrade with"):
        write_index(dataset)
    assert "precious" in (dataset / "dataset.json").read_text()


def test_no_directory_no_index(tmp_path):
    with pytest.raises(DatasetError, match="is no directory"):
        write_index(tmp_path / "none")


def test_processes_that_add_cases_and_index_at_once_leave_an_index_of_all(tmp_path):
    """Each adds two cases and indexes after each; whoever is last has seen all, and no temporary file stays."""
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(HERE)!r})\n"
        "import dataset_builder as build; from pytest_anomod.dataset.write import write_index\n"
        f"out = pathlib.Path({str(tmp_path)!r})\n"
        "for number in range(2):\n"
        "    build.build_case(out, f'scenario_{sys.argv[1]}_{number}', per_s=2)\n"
        "    write_index(out)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(number)]) for number in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert json.loads((tmp_path / "dataset.json").read_text())["cases"] == 6
    assert pq.read_table(tmp_path / "cases.parquet").num_rows == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "cases.parquet",
        "dataset.json",
        "system=social_network",
    ]


def test_a_table_of_a_third_party_has_its_count_in_the_index(tmp_path):
    events = build.Table(name="events", columns=build.LOGS.columns)
    writer = build.build_case(tmp_path, complete=False)
    windows = build.case_timeline()
    writer.write_table(events, build.case_columns("logs", windows, 1), windows)
    writer.complete({"verdict": "effective"})
    build.build_case(tmp_path, "control", control=True)
    write_index(tmp_path)
    rows = pq.read_table(tmp_path / "cases.parquet").to_pylist()
    assert [row["rows_events"] for row in rows] == [None, 15]
    shutil.rmtree(writer.directory)
    assert write_index(tmp_path)["cases"] == 1


def test_cases_of_several_machines_are_merged_without_writing_one_again(tmp_path, capsys):
    """Directories are copied below one root; the command writes the index and nothing else."""
    from pytest_anomod.cli import main

    for number in range(2):
        build.build_case(tmp_path / f"machine_{number}", f"scenario_{number}", per_s=2)
        shutil.copytree(tmp_path / f"machine_{number}", tmp_path / "all", dirs_exist_ok=True)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "all").rglob("*") if path.is_file()}
    assert main(["index", str(tmp_path / "all")]) == 0
    assert capsys.readouterr().out.startswith("2 cases; 0 incomplete")
    assert pq.read_table(tmp_path / "all" / "cases.parquet").num_rows == 2
    assert before == {path: path.stat().st_mtime_ns for path in before}
