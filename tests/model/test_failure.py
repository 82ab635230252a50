"""What a failed answer is, for one answer and for tables of any library; and that everybody means the same by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pytest_anomod.model.failure import failed_rows, has_failed

ANSWERS = [
    # status, error_kind, failed
    (200, "", False),
    (302, "", False),
    (399, "", False),
    (400, "", True),
    (404, "", True),
    (499, "", True),
    (500, "", True),
    (503, "", True),
    (0, "timeout", True),
    (0, "", True),
    (200, "protocol", True),
]


@pytest.mark.parametrize(("status", "error_kind", "failed"), ANSWERS)
def test_an_answer(status, error_kind, failed):
    assert has_failed(status, error_kind) is failed


def test_an_answer_of_which_nothing_is_known_failed():
    assert has_failed(None, None)


@pytest.mark.parametrize(
    ("status", "usual", "failed"),
    [(404, 404, False), (500, 500, False), (404, 200, True), (404, 400, True), (500, 404, True), (0, 404, True)],
)
def test_what_a_request_usually_gets_is_no_failure(status, usual, failed):
    assert has_failed(status, "", usual) is failed


def table(rows, columns):
    return {name: [row[index] for row in rows] for index, name in enumerate(columns)}


@pytest.mark.parametrize("made", [dict, pd.DataFrame, pa.table], ids=["mapping", "pandas", "arrow"])
def test_a_table_of_any_library_says_the_same(made):
    rows = made(table(ANSWERS, ("status_code", "error_kind")))
    assert failed_rows(rows).tolist() == [failed for *_, failed in ANSWERS]


@pytest.mark.parametrize("made", [dict, pd.DataFrame, pa.table], ids=["mapping", "pandas", "arrow"])
def test_a_suite_is_judged_by_what_each_step_mostly_gets_in_the_baseline(made):
    names = ("journey", "step", "status_code", "error_kind", "phase")
    rows = [
        *[("test_a", 1, 404, "", "baseline")] * 3, ("test_a", 1, 200, "", "baseline"),
        *[("test_a", 2, 404, "", "baseline")] * 2, *[("test_a", 2, 200, "", "baseline")] * 2,
        ("test_a", 1, 404, "", "anomaly"), ("test_a", 1, 500, "", "anomaly"), ("test_a", 1, 0, "timeout", "anomaly"),
        ("test_a", 2, 404, "", "anomaly"), ("test_b", 1, 404, "", "anomaly"),
        ("test_b", 1, 0, "timeout", "anomaly"),
    ]  # fmt: skip
    expected = [*[False] * 4, *[True] * 2, *[False] * 2, False, True, True, True, False, True]
    assert failed_rows(made(table(rows, names)), replayed=True).tolist() == expected


def test_a_suite_without_a_baseline_expects_success():
    rows = {"journey": ["t"], "step": [1], "status_code": [404], "error_kind": [""], "phase": ["warmup"]}
    assert failed_rows(rows, replayed=True).tolist() == [True]


def test_an_empty_table_has_no_failures():
    assert failed_rows({"status_code": np.array([], dtype=int), "error_kind": []}).tolist() == []
