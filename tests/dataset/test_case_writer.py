"""Writing a case: whole or not at all, exactly as the schema says, and clear words when something does not fit."""

import json
import re
import subprocess
import sys
from pathlib import Path

import dataset_builder as build
import numpy as np
import pyarrow.parquet as pq
import pytest

from pytest_anomod.dataset import write
from pytest_anomod.dataset.files import sha256
from pytest_anomod.dataset.write import CaseWriter, new_case_id
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.modality import Column

HERE = Path(__file__).parent


@pytest.fixture
def writer(tmp_path):
    return CaseWriter(tmp_path, "social_network", "control")


@pytest.fixture
def windows():
    return build.case_timeline()


def logs(windows, **changes):
    """Three good log rows, one in each of baseline, anomaly and recovery; `changes` replace columns."""
    phases = ("baseline", "anomaly", "recovery")
    times = [window.start_ns for window in windows.windows if window.phase in phases]
    return {**build._logs(times, [False] * 3, build.random.Random(1)), **changes}


def test_a_case_id_is_the_utc_minute_and_eight_hex_digits():
    assert re.fullmatch(r"\d{8}T\d{4}Z-[0-9a-f]{8}", new_case_id())


def test_the_directory_follows_hive_partitioning_and_odd_names_are_encoded(tmp_path):
    writer = CaseWriter(tmp_path, "social_network", "loss[text/90%]", "20261122T0425Z-7f3a")
    below = writer.directory.relative_to(tmp_path).as_posix()
    assert below == "system=social_network/scenario=loss%5Btext%2F90%25%5D/case=20261122T0425Z-7f3a"
    assert writer.directory.is_dir()


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_name_that_can_be_no_directory_is_refused_before_anything_is_made(tmp_path, name):
    with pytest.raises(DatasetError, match="1 to 200 characters"):
        CaseWriter(tmp_path / "new", "social_network", name)
    assert not (tmp_path / "new").exists()


def test_a_case_id_is_taken_once_in_the_whole_dataset(tmp_path):
    CaseWriter(tmp_path, "social_network", "one", "20261122T0425Z-7f3a")
    with pytest.raises(DatasetError, match=r"20261122T0425Z-7f3a.* is taken"):
        CaseWriter(tmp_path, "train_ticket", "two", "20261122T0425Z-7f3a")
    assert not list(tmp_path.glob("system=train_ticket/*/*"))


def test_without_a_case_id_the_writer_goes_on_until_one_is_free(tmp_path, monkeypatch):
    ids = iter(["20261122T0425Z-0001", "20261122T0425Z-0001", "20261122T0425Z-0002"])
    monkeypatch.setattr(write, "new_case_id", lambda: next(ids))
    made = [CaseWriter(tmp_path, "social_network", name).case_id for name in ("one", "two")]
    assert made == ["20261122T0425Z-0001", "20261122T0425Z-0002"]


def test_a_file_in_the_place_of_the_dataset_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="is a file; name a directory"):
        CaseWriter(tmp_path / "file", "social_network", "control")
    with pytest.raises(DatasetError, match="is a file; name a directory"):
        CaseWriter(tmp_path / "file" / "below", "social_network", "control")


def test_too_little_free_space_is_said_before_the_case_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "MINIMUM_FREE_BYTES", 2**60)
    with pytest.raises(DatasetError, match=r"[\d,]+ bytes free, a case needs at least"):
        CaseWriter(tmp_path, "social_network", "control")


def test_rows_get_their_phase_and_those_outside_are_counted_not_written(writer, windows):
    columns = logs(windows)
    columns["time_unix_nano"] = [windows.start_ns - 1, windows.windows[1].start_ns, windows.end_ns]
    frame = writer.write_table(build.LOGS, columns, windows)
    assert frame["phase"].tolist() == ["baseline"]
    written = writer.written["logs"]
    assert (written.rows, written.outside, dict(written.phases)) == (1, 2, {"baseline": 1})


def test_every_window_edge_belongs_to_the_window_that_it_opens(writer, windows):
    starts = [window.start_ns for window in windows.windows]
    times = sorted(starts + [start - 1 for start in starts[1:]])
    frame = writer.write_table(build.LOGS, build._logs(times, [], build.random.Random(1)), windows)
    assert frame["phase"].tolist() == [str(windows.phase_at(time)) for time in times]


def test_what_lasts_beyond_the_case_has_no_phase_end(writer, windows):
    columns = build._traces([windows.windows[1].start_ns], [False], build.random.Random(1))
    second = int(windows.windows[2].start_ns - windows.windows[1].start_ns)
    columns["duration_ns"] = [0, second, 10**12]
    frame = writer.write_table(build.TRACES, columns, windows)
    assert frame["phase"].tolist() == ["baseline"] * 3
    assert frame["phase_end"].tolist()[:2] == ["baseline", "onset"]
    assert frame["phase_end"].isna().tolist() == [False, False, True]


def test_rows_are_written_in_order_of_time(writer, windows):
    columns = logs(windows)
    columns["time_unix_nano"] = columns["time_unix_nano"][::-1]
    frame = writer.write_table(build.LOGS, columns, windows)
    assert frame["time_unix_nano"].is_monotonic_increasing
    assert frame["trace_id"].tolist() == columns["trace_id"][::-1]


def test_a_collector_without_rows_gives_a_table_without_rows(writer, windows):
    assert len(writer.write_table(build.LOGS, {}, windows)) == 0
    assert pq.read_schema(writer.directory / "logs.parquet").names[:5] == [
        "case_id", "time_unix_nano", "service_name", "service_instance_id", "phase",
    ]  # fmt: skip


def test_the_file_says_what_each_column_is_and_is_compressed(writer, windows):
    writer.write_table(build.LOGS, logs(windows), windows)
    file = pq.ParquetFile(writer.directory / "logs.parquet")
    field = file.schema_arrow.field("attributes")
    assert (field.metadata[b"doc"], field.metadata[b"type"]) == (b"the attributes", b"json")
    assert not file.schema_arrow.field("body").nullable
    assert file.schema_arrow.field("trace_id").nullable
    column = file.metadata.row_group(0).column(file.schema_arrow.names.index("service_name"))
    assert column.compression == "ZSTD"
    assert any("DICTIONARY" in encoding for encoding in column.encodings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"body": ["a", "b"]}, "logs: column 'body' has 2 rows where others have 3"),
        ({"body": ["a", None, "c"]}, "logs: column 'body', row 1: is null, and may not be"),
        ({"body": ["a", "b", 3]}, "logs: column 'body', row 2: 3 is a int, not string"),
        ({"body": ["a", "\ud800", "c"]}, "logs: column 'body', row 1: "),
        ({"severity_number": [9, True, 9]}, "logs: column 'severity_number', row 1: True is a bool, not int32"),
        ({"severity_number": [9, 9, 2**40]}, "logs: column 'severity_number', row 2: 1099511627776 is no int32"),
        ({"time_unix_nano": [1.5, 2, 3]}, "logs: column 'time_unix_nano', row 0: 1.5 is a float, not int64"),
        ({"attributes": [{}, "no json", {}]}, "logs: column 'attributes', row 1: 'no json' is no JSON object"),
        ({"attributes": [{}, {}, {"a": object}]}, "logs: column 'attributes', row 2: "),
        ({"colour": ["red"] * 3}, "logs: column 'colour' is not in the schema; its columns are attributes, body"),
        ({"phase": ["baseline"] * 3}, "logs: column 'phase' is not in the schema"),
    ],
)
def test_what_does_not_fit_the_schema_is_named_by_column_and_row(writer, windows, change, says):
    with pytest.raises(DatasetError, match=re.escape(says)):
        writer.write_table(build.LOGS, logs(windows, **change), windows)
    assert [path.name for path in writer.directory.iterdir()] == []


def test_a_missing_column_is_named_and_a_nullable_one_is_filled_with_nulls(writer, windows):
    columns = logs(windows)
    del columns["trace_id"]
    assert writer.write_table(build.LOGS, columns, windows)["trace_id"].isna().all()
    del columns["body"]
    with pytest.raises(DatasetError, match="column 'body' is missing"):
        writer.write_table(build.LOGS, columns, windows)


def test_a_negative_length_is_named(writer, windows):
    columns = build._traces([windows.start_ns], [False], build.random.Random(1))
    columns["duration_ns"] = [5, -1, 5]
    with pytest.raises(DatasetError, match="column 'duration_ns', row 1: -1 is no length"):
        writer.write_table(build.TRACES, columns, windows)


def test_a_modality_with_length_needs_a_duration(writer, windows):
    table = build.Table(name="calls", has_length=True, columns=(Column(name="x", type="string", doc="x"),))
    with pytest.raises(DatasetError, match="has no column duration_ns"):
        writer.write_table(table, {}, windows)


def test_json_takes_numpy_figures_and_makes_nan_null(writer):
    writer.write_json("scenario.json", {"p": np.float64("nan"), "n": np.int64(3), "l": (1, float("inf"))})
    assert json.loads((writer.directory / "scenario.json").read_text()) == {"p": None, "n": 3, "l": [1, None]}


def test_json_that_can_not_be_written_leaves_the_old_file(writer):
    writer.write_json("scenario.json", {"a": 1})
    with pytest.raises(DatasetError, match=r"scenario\.json can't be written: its content is not JSON"):
        writer.write_json("scenario.json", {"a": object()})
    assert json.loads((writer.directory / "scenario.json").read_text()) == {"a": 1}
    assert [path.name for path in writer.directory.iterdir()] == ["scenario.json"]


def test_case_json_holds_rows_sizes_and_checksums_of_all_files(tmp_path):
    writer = build.build_case(tmp_path)
    manifest = json.loads((writer.directory / "case.json").read_text())
    names = {path.name for path in writer.directory.iterdir()} - {"case.json"}
    assert set(manifest["files"]) == names
    for name, entry in manifest["files"].items():
        assert entry == {
            "bytes": (writer.directory / name).stat().st_size,
            "sha256": sha256(writer.directory / name),
        }
    assert manifest["tables"]["traces"]["rows"] == sum(manifest["tables"]["traces"]["phases"].values()) == 423
    assert manifest["tables"]["logs"]["dropped"] == 0
    assert manifest["format_version"] == 1
    assert manifest["verdict"] == "effective"


def test_a_case_that_lacks_a_file_is_not_completed(tmp_path, windows):
    writer = build.build_case(tmp_path, complete=False)
    (writer.directory / "journal.json").unlink()
    with pytest.raises(DatasetError, match=r"can't be completed: journal\.json was not written"):
        writer.complete({"verdict": "effective"})
    assert not (writer.directory / "case.json").exists()


def test_manifest_and_label_must_agree(tmp_path, windows):
    writer = build.build_case(tmp_path, complete=False)
    with pytest.raises(DatasetError, match="verdict 'silent' in the manifest, 'effective' in the label"):
        writer.complete({"verdict": "silent"})
    with pytest.raises(DatasetError, match="where case_id is"):
        writer.write_label(build.label("20261122T0425Z-ffff", "perf_cpu_contention", windows))


def test_an_abandoned_case_says_why_and_never_becomes_one(tmp_path):
    writer = build.build_case(tmp_path, complete=False)
    writer.abandon("InjectionError: no such process")
    said = json.loads((writer.directory / "incomplete.json").read_text())
    assert said["reason"] == "InjectionError: no such process"
    with pytest.raises(DatasetError, match="is abandoned, it is too late to complete it"):
        writer.complete({"verdict": "effective"})
    assert not (writer.directory / "case.json").exists()


def test_a_complete_case_stays_complete(tmp_path):
    writer = build.build_case(tmp_path)
    writer.abandon("too late")
    assert not (writer.directory / "incomplete.json").exists()
    with pytest.raises(DatasetError, match="too late to write notes"):
        writer.write_json("notes.json", {})


FULL_DISK = """
import sys
sys.path.insert(0, {here!r})
import dataset_builder as build
from pytest_anomod.dataset import write
from pytest_anomod.model.errors import DatasetError
{before}
write.MINIMUM_FREE_BYTES = 0
writer = write.CaseWriter(__import__("pathlib").Path({out!r}), "social_network", "full")
windows = build.case_timeline()
writer.write_json("scenario.json", {{"small": True}})
columns = build.case_columns("logs", windows, 10)
rows = len(columns["body"])
columns["body"] = [build.random.Random(i).randbytes(20_000).hex() for i in range(rows)]
try:
    writer.write_table(build.LOGS, columns, windows)
except DatasetError as error:
    print(error)
print(sorted(path.name for path in writer.directory.iterdir()))
"""


def test_a_full_disk_is_said_with_the_bytes_free_and_leaves_no_half_table(tmp_path):
    """On a tmpfs of 1 MB in a mount namespace of its own, which vanishes with the process."""
    code = FULL_DISK.format(here=str(HERE), out=str(tmp_path), before="")
    mount = f'mount -t tmpfs -o size=1m none {tmp_path} || exit 77; exec {sys.executable} -c "$CODE"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], env={"CODE": code, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    said, left = done.stdout.splitlines()
    assert re.search(r"logs\.parquet can't be written: No space left on device, [\d,]+ bytes free on the volume", said)
    assert left == "['scenario.json']"


def test_a_limit_on_file_size_is_a_full_disk_too(tmp_path):
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    code = FULL_DISK.format(here=str(HERE), out=str(tmp_path), before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    said, left = done.stdout.splitlines()
    assert re.search(r"logs\.parquet can't be written: File too large, [\d,]+ bytes free .* put the dataset", said)
    assert left == "['scenario.json']"


def test_a_read_only_volume_is_said_before_the_case_begins(tmp_path):
    code = (
        "import pathlib; from pytest_anomod.dataset.write import CaseWriter\n"
        f"CaseWriter(pathlib.Path({str(tmp_path)!r}) / 'sub', 'social_network', 'control')"
    )
    mount = f'mount -t tmpfs -o ro none {tmp_path} || exit 77; exec {sys.executable} -c "$CODE"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], env={"CODE": code, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert "DatasetError" in done.stderr
    assert "Read-only file system; make the directory writable" in done.stderr


def test_importing_the_writer_imports_no_pyarrow_and_no_pandas():
    """case.py imports it in every pytest session that has scenarios."""
    code = "import sys, pytest_anomod.dataset.write; print({'pyarrow', 'pandas', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
