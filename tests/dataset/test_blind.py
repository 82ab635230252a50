"""Blind reading: no column, id, order or count of it gives a label away; evidence holds what was granted, no more."""

from __future__ import annotations

import dataset_builder as build
import pandas as pd
import pytest

from pytest_anomod import load_dataset
from pytest_anomod.dataset import blind, tables
from pytest_anomod.dataset.evidence import alarm_evidence, detection_evidence
from pytest_anomod.dataset.read import LABEL_COLUMNS
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DatasetError, EvaluationError
from pytest_anomod.model.modality import MODALITIES

WITHHELD = {"case_id", "phase", "phase_end", "truncated", "window_start_unix_nano", "window_end_unix_nano"}
"""Columns of our tables that give the label away: by name, by counting phases, or by their edges."""


@pytest.mark.parametrize("name", MODALITIES)
def test_each_column_of_ours_is_either_telemetry_or_withheld_on_purpose(name):
    """A column that is added to a modality needs a decision: it stands in the whitelist or in WITHHELD above."""
    columns = {column.name for column in tables.table_columns(catalog.find("modalities", name))}
    assert columns - set(blind.columns_of(name)) == columns & WITHHELD
    assert not set(blind.columns_of(name)) & {*WITHHELD, *LABEL_COLUMNS, "is_anomalous"}


def test_a_modality_that_nobody_knows_is_not_read_blindly():
    """Any of its columns could be a label."""
    with pytest.raises(DatasetError, match="'profiles' can't be read blindly"):
        blind.columns_of("profiles")


def test_a_blind_dataset_has_telemetry_and_no_label(whole_dataset):
    """From the baseline on, under ids and in an order that say nothing; all cases are equally long."""
    seeing, data = load_dataset(whole_dataset), load_dataset(whole_dataset, blind=True)
    for name in ("logs", "metrics", "traces", "api_responses"):
        frame = data.table(name)
        assert set(frame.columns) <= {"case_id", *blind.columns_of(name)}
        times = frame.groupby("case_id")["time_unix_nano"].agg(["min", "max"])
        assert (times["max"] - times["min"]).max() / build.SECOND == pytest.approx(10, abs=0.5)
        assert (times["max"] - times["min"]).max() - (times["max"] - times["min"]).min() < build.SECOND
    assert set(data.cases.columns) == {"case_id", "system"}
    assert list(data.cases["case_id"]) == sorted(blind.blind_id(name) for name in seeing.cases["case_id"])
    assert pd.api.types.is_string_dtype(data.traces["trace_id"])


def test_blind_coverage_does_not_tell_the_phases(whole_dataset):
    """A line of a case is one row, in faults as in controls."""
    coverage = load_dataset(whole_dataset, blind=True).coverage
    assert not coverage.duplicated(["case_id", "line"]).any()
    assert list(coverage.groupby("case_id")["line"].size()) == [4, 4, 4]
    assert dict(zip(coverage["line"], coverage["covered"], strict=True)) == {10: True, 11: True, 12: True, 13: False}


@pytest.mark.parametrize("choice", [{"phases": "anomaly"}, {"columns": ["body"]}])
def test_labels_do_not_choose_blind_rows(whole_dataset, choice):
    """Rows of the anomaly window alone would be labelled."""
    with pytest.raises(DatasetError, match="blind=True gives all telemetry"):
        load_dataset(whole_dataset, blind=True, **choice)


def test_iterating_blindly_gives_evidence(whole_dataset):
    """And an unknown id says what ids look like."""
    data = load_dataset(whole_dataset, blind=True)
    assert [evidence.case_id for evidence in data] == list(data.cases["case_id"])
    with pytest.raises(DatasetError, match="blind ids begin with case-"):
        data.evidence("20261122T0425Z-aaaa")


def _case(whole_dataset, scenario="perf_cpu_contention"):
    return next(iter(load_dataset(whole_dataset, scenarios=scenario)))


def test_the_alarm_splits_a_case_where_the_fault_went_in(whole_dataset):
    """Warm-up and recovery are left out; coverage has the stretch before and that from the alarm on."""
    case = _case(whole_dataset)
    evidence = alarm_evidence(case)
    label = case.label
    assert evidence.alarm_ns == label.inject_start_unix_nano
    assert evidence.end_ns == label.recover_start_unix_nano
    before, after = evidence.before("traces"), evidence.after("traces")
    assert len(before) + len(after) == len(evidence.traces)
    assert before["time_unix_nano"].max() < evidence.alarm_ns <= after["time_unix_nano"].min()
    assert set(evidence.coverage["time_unix_nano"]) == {evidence.start_ns, evidence.alarm_ns}
    assert alarm_evidence(case, shift_s=-1).alarm_ns == evidence.alarm_ns - build.SECOND
    with pytest.raises(EvaluationError, match="shifted by 60 s"):
        alarm_evidence(case, shift_s=60)


def test_a_control_has_no_alarm(whole_dataset):
    """There is no cause to rank."""
    with pytest.raises(EvaluationError, match="no cause can be ranked"):
        alarm_evidence(_case(whole_dataset, "control"))


def test_who_detects_gets_bins_a_history_and_no_coverage(whole_dataset):
    """The windows of coverage are the phases."""
    evidence = detection_evidence(_case(whole_dataset, "control"), bin_s=2.0, history_s=3.0)
    assert evidence.alarm_ns is None
    assert evidence.normal_until_ns == evidence.start_ns + 3 * build.SECOND
    assert len(evidence.bins) == int((evidence.end_ns - evidence.start_ns) / build.SECOND // 2)
    with pytest.raises(EvaluationError, match="asks for 'coverage', which it was not granted"):
        _ = evidence.coverage


def test_evidence_is_narrowed_to_what_is_granted(whole_dataset):
    """What is worked out of a modality is made once, and not for who was not granted it."""
    evidence = alarm_evidence(_case(whole_dataset))
    made = []
    for given in (evidence, evidence.narrowed(("traces",)), evidence.narrowed(("traces", "logs"))):
        assert given.kept("traces", "count", lambda: made.append(1) or len(made)) == 1
    with pytest.raises(EvaluationError, match=r"asks for 'traces'.* it was granted logs"):
        evidence.narrowed(("logs",)).kept("traces", "count", lambda: 2)
