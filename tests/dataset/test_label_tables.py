"""The label's own tables and fields: written, read back exactly, absent in cases of before, and seen by no method."""

from __future__ import annotations

import shutil

import dataset_builder as build
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.dataset import label_tables, layout
from pytest_anomod.dataset.evidence import alarm_evidence, detection_evidence
from pytest_anomod.dataset.validate import validate
from pytest_anomod.dataset.write import write_index
from pytest_anomod.model.errors import DatasetError, EvaluationError
from pytest_anomod.model.propagation import USER, Hop, Known, Propagation

KNOWN = {table.name: table for table in build.TABLES}

ODD_NS = build.START_NS + 6 * build.SECOND + 123_456_789
"""A time that a float would round."""

SPREAD = Propagation(
    root="text-service",
    hops=(
        Hop(hop=0, cause=None, service="text-service", propagated=Known.YES, why="seen", effect="state"),
        Hop(
            hop=1, cause="text-service", service="nginx-thrift", caller="nginx-thrift", callee="text-service",
            propagated=Known.YES, why="", effect="errors", modality="traces", figure="errors", before=0.0, after=0.5,
            p=1e-9, onset_unix_nano=ODD_NS, onset_give_ns=250_000_000, weight=7, edge_from="spans",
        ),
        Hop(hop=2, cause="nginx-thrift", service=USER, propagated=Known.YES, why="", effect="errors", weight=7),
        Hop(hop=1, cause="text-service", service="home", propagated=Known.UNKNOWN, why="no span"),
    ),
)  # fmt: skip
TRUTH = {
    "propagation_path": SPREAD.path,
    "propagation_edges": ("text-service->nginx-thrift", f"nginx-thrift->{USER}"),
    "reaches_user": "yes",
    "affected_services": SPREAD.affected,
    "unknown_services": SPREAD.unknown,
    "fault_edges": (),
    "root_cause_kind": "service",
    "severity": 3,
    "usable": True,
    "unusable_because": (),
    "split": "train",
}


def requests(count: int, times: list[int]) -> dict[str, object]:
    """Labels of requests: every fourth is unknown, and every second affected."""
    number = np.arange(count)
    return {
        "row": number, "time_unix_nano": np.array(times), "trace_id": [f"{index + 1:032x}" for index in range(count)],
        "is_affected": np.ma.masked_array(number % 2 == 0, mask=number % 4 == 0),
        "outcome": ["slow"] * count, "reaches_root_cause": np.ma.masked_array(number > 3, mask=number < 2),
        "bound_ms": np.ma.masked_invalid(np.where(number < 5, np.nan, 12.5)), "bound_from": ["endpoint"] * count,
    }  # fmt: skip


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A dataset of a case with the label's tables, and a control with them."""
    out = tmp_path_factory.mktemp("labelled") / "set"
    hour = 3_600 * build.SECOND
    for control, truth in ((False, TRUTH), (True, {"usable": True, "split": "test"})):
        start_ns = build.START_NS + hour * control
        writer = build.build_case(
            out, "control" if control else "kill_text", control=control, start_ns=start_ns, complete=False, **truth
        )
        rows = pq.read_table(writer.directory / "api_responses.parquet")
        writer.write_label_tables(
            Propagation() if control else SPREAD, requests(len(rows), rows["time_unix_nano"].to_pylist())
        )
        verdict = "normal" if control else "effective"
        writer.complete({"verdict": verdict, "expects": verdict, "findings": [], "dropped": {}})
    write_index(out)
    return out


def test_a_sound_dataset_has_them_and_no_problem(labelled):
    assert [str(problem) for problem in validate(labelled, KNOWN)] == []


def test_they_are_one_line_away(labelled):
    data = load_dataset(labelled)
    steps = data.propagation
    assert steps["service"].tolist() == ["text-service", "nginx-thrift", USER, "home"]
    assert steps["onset_unix_nano"].tolist()[1] == ODD_NS
    assert steps["propagated"].tolist() == ["yes", "yes", "yes", "unknown"]
    assert data.request_labels.groupby("case_id", observed=True).size().tolist() == [
        len(case.api_responses) for case in data
    ]
    case = next(case for case in data if case.label.scenario == "kill_text")
    assert case.propagation["onset_unix_nano"].tolist()[1] == ODD_NS
    joined = case.api_responses.reset_index(names="row").merge(case.request_labels, on="row")
    assert (joined["time_unix_nano_x"] == joined["time_unix_nano_y"]).all()


def test_the_label_has_them_as_plain_values(labelled):
    row = load_dataset(labelled, scenarios="kill_text").cases.iloc[0]
    assert list(row["propagation_path"]) == ["text-service", "nginx-thrift", USER]
    assert (row["severity"], bool(row["usable"]), row["split"]) == (3, True, "train")
    label = load_dataset(labelled).case(row["case_id"]).label
    assert label.affected_services == ("text-service", "nginx-thrift")
    assert label.unusable_because == ()


def label_files(root):
    """Every Parquet file of a dataset that is a label's or holds labels."""
    return [root / layout.CASES_FILE, *root.glob("*/*/*/label.parquet"), *root.glob("*/*/*/propagation.parquet"),
            *root.glob("*/*/*/request_labels.parquet")]  # fmt: skip


def test_no_whole_number_becomes_a_float_in_plain_pandas(labelled):
    """Without our reader, in cases with nulls and in those without: nanoseconds would be rounded."""
    looked_at = 0
    for path in label_files(labelled):
        whole = [field.name for field in pq.read_schema(path) if str(field.type).startswith("int")]
        frame = pd.read_parquet(path)
        types = {name: str(frame[name].dtype) for name in whole}
        assert {kind.lower() for kind in types.values()} <= {"int64", "int32"}, (path.name, types)
        looked_at += len(whole)
    assert looked_at > 40
    plain = pd.read_parquet(next(labelled.glob("*/scenario=kill_text/*/propagation.parquet")))
    assert plain["onset_unix_nano"][1] == ODD_NS
    assert plain["onset_unix_nano"].isna().tolist() == [True, False, True, True]
    flags = pd.read_parquet(next(labelled.glob("*/scenario=kill_text/*/request_labels.parquet")))["is_affected"]
    assert str(flags.dtype) == "boolean"
    assert flags[:4].tolist() == [pd.NA, False, True, False]


def test_methods_and_blind_readers_see_none_of_it(labelled):
    blind = load_dataset(labelled, blind=True)
    truth = {*TRUTH} | {column.name for columns in label_tables.COLUMNS.values() for column in columns[1:]}
    telemetry = {"time_unix_nano", "trace_id"}  # theirs as well
    services = {"service"}
    for case in load_dataset(labelled):
        for name in label_tables.FILES:
            assert name not in case.modalities
            with pytest.raises(DatasetError, match="has no table"):
                case.table(name)
    for name in label_tables.FILES:
        with pytest.raises(DatasetError, match="no case has a table"):
            blind.table(name)
        assert not hasattr(blind, name)
    for evidence in (*blind, *(alarm_evidence(case) for case in load_dataset(labelled, scenarios="kill_text"))):
        assert not {*label_tables.FILES} & {*evidence.granted}
        for name in label_tables.FILES:
            with pytest.raises(EvaluationError, match="not granted"):
                evidence.table(name)
        for name in evidence.granted:
            assert not {*evidence.table(name).columns} & (truth - telemetry - services)
    assert not {*blind.cases.columns} & truth


def test_detection_evidence_is_the_same_with_and_without_label_tables(labelled, tmp_path):
    bare = shutil.copytree(labelled, tmp_path / "bare")
    for path in [*bare.glob("*/*/*/propagation.parquet"), *bare.glob("*/*/*/request_labels.parquet")]:
        path.unlink()
    for left, right in zip(load_dataset(labelled), load_dataset(bare), strict=True):
        one, other = detection_evidence(left), detection_evidence(right)
        assert one.granted == other.granted
        for name in one.granted:
            pd.testing.assert_frame_equal(one.table(name), other.table(name))


def test_cases_of_before_have_none_of_it(whole_dataset, tmp_path):
    """A case that was written when labels had no such fields loads, and they are null."""
    old = shutil.copytree(whole_dataset, tmp_path / "old")
    for path in [old / layout.CASES_FILE, *old.glob("*/*/*/label.parquet")]:
        table = pq.read_table(path, partitioning=None)
        pq.write_table(table.drop_columns([name for name in TRUTH if name in table.column_names]), path)
    data = load_dataset(old)
    assert data.cases[[*TRUTH]].isna().all().all()
    assert (len(data.propagation), len(data.request_labels)) == (0, 0)
    assert list(data.propagation.columns) == label_tables.schema("propagation").names
    assert next(iter(data)).label.propagation_path is None
    assert len(data.logs), "telemetry is read as ever"


def test_a_recovery_is_split_for_readers_and_not_in_the_files(labelled):
    data = load_dataset(labelled)
    logs = data.logs
    assert set(logs["phase"]) == {"warmup", "baseline", "onset", "anomaly", "release", "recovery", "control"}
    again = logs.merge(data.cases[["case_id", "steady_again_unix_nano"]], on="case_id")
    late = (again["time_unix_nano"] >= again["steady_again_unix_nano"]).fillna(True)  # a control's is null
    recovery = again[again["phase"] == "recovery"]
    assert (recovery["fine_phase"] == "recovered").tolist() == late[recovery.index].tolist()
    others = logs[logs["phase"] != "recovery"]
    assert (others["fine_phase"].astype(str) == others["phase"].astype(str)).all()
    chosen = load_dataset(labelled, phases=("baseline", "recovered")).logs
    assert set(chosen["fine_phase"]) == {"baseline", "recovered"}
    case = next(case for case in data if case.label.scenario == "kill_text")
    assert case.timeline.fine.windows[-1].start_ns == case.label.steady_again_unix_nano


def test_an_attempt_that_was_played_again_is_not_usable(tmp_path):
    first = build.build_case(tmp_path, "kill_text", verdict="contaminated", usable=False,
                             unusable_because=("contaminated: x",))  # fmt: skip
    later = build.START_NS + 600 * build.SECOND
    build.build_case(tmp_path, "kill_text", start_ns=later, attempt=2, replaces=first.case_id, usable=True)
    cases = load_dataset(tmp_path, superseded=True).cases.set_index("case_id")
    assert cases["usable"].tolist().count(True) == 1
    assert [why.split(":")[0] for why in cases.loc[first.case_id, "unusable_because"]] == ["contaminated", "superseded"]


@pytest.mark.parametrize("name", [*label_tables.FILES])
def test_a_table_of_another_case_is_found(labelled, tmp_path, name):
    broken = shutil.copytree(labelled, tmp_path / "broken")
    path = next(broken.glob(f"*/scenario=kill_text/*/{name}.parquet"))
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.slice(0, len(table) - 3), path)
    said = " ".join(str(problem) for problem in validate(broken, KNOWN))
    assert ("proves the steps" if name == "propagation" else "is no row for each row") in said
