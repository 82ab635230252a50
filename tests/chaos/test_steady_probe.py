"""What counts as a steady state, read from the tail of a record file."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.chaos import steady
from pytest_anomod.model import clock
from pytest_anomod.testing import response


@pytest.fixture
def records(tmp_path):
    """Write responses that end so many seconds ago; returns the file."""

    def write(*responses, rest=""):
        path = tmp_path / "r.jsonl"
        now = clock.now_ns()
        lines = [
            json.dumps(response(now - int(age_s * 1e9) - int(fields.get("duration_ms", 2.0) * 1e6), **fields))
            for age_s, fields in responses
        ]
        path.write_text("".join(line + "\n" for line in lines) + rest, encoding="utf-8")
        return path

    return write


OK = {"duration_ms": 10.0}


def test_quick_answers_are_steady(records):
    seen = steady.look(records(*[(1.0, OK)] * 10), 3.0, None)
    assert seen == {"status": "steady", "responses": 10, "error_share": 0.0, "median_ms": 10.0, "window_s": 3.0}


def test_only_the_window_counts(records):
    old = [(60.0, {"status": 500})] * 10
    assert steady.look(records(*old, *[(1.0, OK)] * 5), 3.0, None)["responses"] == 5


@pytest.mark.parametrize(
    "bad", [{"status": 500}, {"status": 404}, {"status": 0}, {"status": 0, "error_kind": "timeout"}], ids=str
)
def test_more_than_two_percent_errors_are_not_steady(records, bad):
    assert steady.look(records(*[(1.0, OK)] * 98, *[(0.5, bad)] * 2), 3.0, None)["status"] == "steady"
    status = steady.look(records(*[(1.0, OK)] * 97, *[(0.5, bad)] * 3), 3.0, None)["status"]
    assert status == "3.0% of 100 responses are errors, above 2%"


def test_silence_is_not_steady(records, tmp_path):
    assert steady.look(records((60.0, OK), (1.0, OK)), 3.0, None)["status"] == "1 responses in 3 s, fewer than 3"
    assert steady.look(tmp_path / "none", 3.0, None)["responses"] == 0


def test_a_later_look_compares_latency_with_the_first(records):
    before = {"median_ms": 10.0}
    just = records(*[(1.0, {"duration_ms": 24.9})] * 5)
    assert steady.look(just, 3.0, before)["status"] == "steady"
    above = records(*[(1.0, {"duration_ms": 25.2})] * 5)
    assert steady.look(above, 3.0, before)["status"] == "median latency is 25.2 ms, above 25.0 ms"
    assert steady.look(above, 3.0, None)["status"] == "steady"


def test_a_line_that_is_being_written_is_left_alone(records):
    assert steady.look(records(*[(1.0, OK)] * 4, rest='{"time_unix_na'), 3.0, None)["responses"] == 4


def test_a_file_of_many_blocks_is_read_only_as_far_as_needed(records, monkeypatch):
    monkeypatch.setattr(steady, "_BLOCK", 64)  # lines are longer than a block
    path = records(*[(60.0, OK)] * 50, *[(1.0, OK)] * 7)
    assert steady.look(path, 3.0, None)["responses"] == 7
    assert len(list(steady.recent_responses(path, 0))) == 57


@pytest.mark.parametrize(
    ("status", "usual", "error"),
    [(400, 400, False), (404, 200, True), (500, 500, False), (500, 200, True), (200, 200, False), (0, 200, True)],
)
def test_of_a_suite_only_new_errors_count(status, usual, error):
    """It sends bad requests on purpose: what they usually get stands in their record."""
    row = {**response(0, status=status), "usual_status": usual}
    assert steady.is_error(row) is error
