"""The workload as a process: nothing holds an arrival up, nothing sent is lost, and it never outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, ScenarioError
from pytest_anomod.workloads import open_loop


@pytest.fixture
def begin(tmp_path):
    """Start a workload against an entry; whatever a test does, it is ended."""
    handles = []

    def begin(entry, **spec):
        spec = {
            "system": "social_network",
            "entry_url": entry.url,
            "urls": {},
            "rate_rps": 20.0,
            "timeout_s": 5.0,
            "seed": 3,
            "deadline_s": 60.0,
            **spec,
        }
        handle = open_loop.start(spec, tmp_path / f"responses{len(handles)}.jsonl")
        handles.append(handle)
        return handle

    yield begin
    for handle in handles:
        open_loop.stop({**handle, "timeout_s": 0})


def records(handle):
    return [json.loads(line) for line in Path(handle["records"]).read_text().splitlines()]


def test_requests_go_out_at_the_rate_and_each_is_recorded_with_the_trace_id_it_carried(entry, begin):
    handle = begin(entry)
    entry.wait_for(30)
    report = open_loop.stop(handle)
    rows = records(handle)
    assert len(rows) == len(entry.requests) == report["requests"] == report["answered"]
    assert {row["status_code"] for row in rows} == {200}
    carried = {headers["traceparent"] for _, _, headers, _ in entry.requests}
    assert carried == {f"00-{row['trace_id']}-{row['span_id']}-01" for row in rows}
    assert len({row["trace_id"] for row in rows}) == len(rows)
    assert report["arrivals"] / report["elapsed_s"] == pytest.approx(20, rel=0.25)
    assert report["end_reason"] == "stopped"
    assert open_loop.kept_rate(report, most_lag_ms=2_000)
    starts = [row["time_unix_nano"] for row in sorted(rows, key=lambda row: row["journey_id"])]
    assert starts == sorted(starts)
    assert starts[0] >= handle["start_unix_nano"]


def test_the_body_on_the_wire_is_not_percent_encoded(entry, begin):
    handle = begin(entry, mix={"compose-post": 1})
    entry.wait_for(1)
    open_loop.stop(handle)
    method, path, headers, body = entry.requests[0]
    assert (method, path) == ("POST", "/wrk2-api/post/compose")
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert b'&media_ids=["' in body
    assert b" @username_" in body
    assert b"%" not in body


def test_the_same_seed_sends_the_same_bytes(entry, begin):
    sent = []
    for _ in range(2):
        entry.requests.clear()
        handle = begin(entry, deadline_s=1.0, rate_rps=40.0)
        entry.wait_for(40)
        open_loop.stop(handle)
        sent.append(sorted((method, path, body) for method, path, _, body in entry.requests))
    assert sent[0] == sent[1]


def test_an_entry_that_hangs_does_not_hold_arrivals_up_and_latency_counts_from_the_plan(entry, begin):
    entry.mode = "hang"
    handle = begin(entry, timeout_s=0.8, rate_rps=25.0)
    entry.wait_for(40)
    report = open_loop.stop(handle)
    rows = records(handle)
    assert report["arrivals"] / report["elapsed_s"] == pytest.approx(25, rel=0.25)
    timeouts = [row for row in rows if row["error_kind"] == "timeout"]
    assert len(timeouts) >= 20
    assert {row["status_code"] for row in timeouts} == {0}
    assert all(0.75e9 <= row["duration_ns"] <= 1.6e9 for row in timeouts)


def test_time_lost_by_the_generator_itself_is_in_the_latency_and_in_the_summary(entry, begin):
    handle = begin(entry)
    entry.wait_for(5)
    os.kill(handle["pid"], signal.SIGSTOP)
    time.sleep(0.6)
    os.kill(handle["pid"], signal.SIGCONT)
    entry.wait_for(25)
    report = open_loop.stop(handle)
    assert report["lag"]["p100_ms"] >= 400
    assert not open_loop.kept_rate(report)
    late = [row for row in records(handle) if row["delay_ns"] > 300e6]
    assert late
    assert all(row["duration_ns"] >= row["delay_ns"] for row in late)


def test_moments_are_finer_than_the_loops_own_and_nothing_is_sent_before_it_is_due(entry, begin):
    """The event loop counts whole milliseconds, those of its last turn: an answer might precede its request."""
    handle = begin(entry, rate_rps=100.0)
    entry.wait_for(100)
    open_loop.stop(handle)
    rows = records(handle)
    assert min(row["delay_ns"] for row in rows) >= 0
    assert all(row["duration_ns"] > row["delay_ns"] for row in rows)
    for first in (True, False):  # a first step counts from the plan, the others from when they were sent
        spans = [row["duration_ns"] for row in rows if (row["step"] == 1) == first]
        assert sum(span % 1_000_000 == 0 for span in spans) <= 0.1 * len(spans)


@pytest.mark.parametrize(("mode", "kind", "status"), [("reset", "disconnect", 0), ("error", "", 500)])
def test_what_goes_wrong_is_recorded_by_its_kind(entry, begin, mode, kind, status):
    entry.mode = mode
    handle = begin(entry)
    entry.wait_for(5)
    open_loop.stop(handle)
    rows = records(handle)
    assert {(row["error_kind"], row["status_code"]) for row in rows} == {(kind, status)}
    assert len(entry.requests) == len(rows), "a lost request was silently sent again"


def test_an_entry_that_refuses_is_recorded_as_connect(entry, begin):
    handle = begin(entry, entry_url="http://127.0.0.1:9")
    clock.wait_until(lambda: open_loop.summary(handle["records"])["requests"] > 3, timeout_s=5, what="requests")
    open_loop.stop(handle)
    assert {row["error_kind"] for row in records(handle)} == {"connect"}


def test_no_secret_reaches_the_disk(entry, begin):
    handle = begin(entry)
    entry.wait_for(3)
    open_loop.stop(handle)
    text = Path(handle["records"]).read_text()
    assert "s3cr3t" not in text
    row = records(handle)[0]
    assert row["response_headers"]["set-cookie"] == "[redacted]"
    assert row["response_body"] == '{"token":"[redacted]","text":"hello"}'
    assert row["request_headers"]["traceparent"].startswith("00-")


def test_requests_in_flight_may_finish_when_the_workload_is_stopped(entry, begin):
    entry.mode = "slow"
    handle = begin(entry)
    entry.wait_for(5)
    report = open_loop.stop(handle)
    assert report["cancelled"] == 0
    assert {row["status_code"] for row in records(handle)} == {200}
    assert len(records(handle)) == len(entry.requests)


def test_beyond_the_cap_journeys_are_shed_and_counted(entry, begin):
    entry.mode = "hang"
    handle = begin(entry, max_in_flight=3)
    clock.wait_until(lambda: open_loop.summary(handle["records"])["shed"] >= 5, timeout_s=5, what="shedding")
    entry.released.set()
    report = open_loop.stop(handle)
    shed = [row for row in records(handle) if row["error_kind"] == "shed"]
    assert len(shed) == report["shed"] >= 5
    assert {row["trace_id"] for row in shed} == {""}
    assert not open_loop.kept_rate(report)


def test_a_killed_generator_leaves_whole_lines_of_all_that_was_answered(entry, begin):
    handle = begin(entry)
    clock.wait_until(lambda: len(records(handle)) >= 19, timeout_s=20, what="19 answers")
    os.kill(handle["pid"], signal.SIGKILL)
    clock.wait_until(lambda: not open_loop.is_running(handle), timeout_s=5, what="the end")
    assert len(records(handle)) >= 19
    assert Path(handle["records"]).read_text().endswith("\n")
    assert open_loop.stop(handle)["state"] == "sending"


def test_it_ends_by_itself_at_the_deadline(entry, begin):
    handle = begin(entry, deadline_s=0.5)
    clock.wait_until(lambda: not open_loop.is_running(handle), timeout_s=5, what="the end")
    report = open_loop.stop(handle)
    assert report["end_reason"] == "deadline"
    assert report["arrivals"] == 10


def test_every_arrival_of_the_plan_is_sent_even_those_right_before_the_end(entry, begin):
    entry.mode = "slow"
    handle = begin(entry, deadline_s=0.2, rate_rps=500.0)
    clock.wait_until(lambda: not open_loop.is_running(handle), timeout_s=15, what="the end")
    assert open_loop.stop(handle)["arrivals"] == 100
    assert sorted(row["journey_id"] for row in records(handle)) == list(range(100))


def test_stopping_twice_is_fine_and_a_fresh_process_can_do_it(entry, begin):
    handle = begin(entry)
    entry.wait_for(2)
    script = (
        "import json,sys; from pytest_anomod.workloads import open_loop;"
        "print(json.dumps(open_loop.stop(json.loads(sys.argv[1]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(handle)], capture_output=True, check=True, text=True, timeout=20
    )
    assert json.loads(done.stdout)["end_reason"] == "stopped"
    assert open_loop.stop(handle) == open_loop.stop(handle) == json.loads(done.stdout)


def test_a_stranger_with_the_same_pid_is_left_alone(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        handle = {"pid": stranger.pid, "start_time": 1.0, "records": str(tmp_path / "none"), "timeout_s": 1}
        assert open_loop.stop(handle) == {}
        assert stranger.poll() is None
    finally:
        stranger.communicate()


def test_it_ends_when_its_owner_is_killed(entry, tmp_path):
    script = textwrap.dedent(
        """
        import json, sys, time
        from pytest_anomod.workloads import open_loop
        print(json.dumps(open_loop.start(json.loads(sys.argv[1]), sys.argv[2])), flush=True)
        time.sleep(60)
        """
    )
    spec = {"system": "social_network", "entry_url": entry.url, "seed": 1, "deadline_s": 60}
    owner = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(spec), str(tmp_path / "r.jsonl")], stdout=subprocess.PIPE
    )
    handle = json.loads(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    clock.wait_until(lambda: not psutil.pid_exists(handle["pid"]), timeout_s=5, what="the workload to end")
    assert open_loop.summary(handle["records"])["end_reason"] == "owner died"


def test_a_spec_that_can_not_work_is_refused_at_once(tmp_path):
    with pytest.raises(ScenarioError, match="social_network"):
        open_loop.start(
            {"system": "social_netwrk", "entry_url": "http://x", "seed": 1, "deadline_s": 1}, tmp_path / "r"
        )


def test_a_generator_that_does_not_come_up_is_an_error_with_its_own_words(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CaptureError, match="exit code 1"):
        open_loop.start(
            {"system": "social_network", "entry_url": "http://x", "seed": 1, "deadline_s": 1}, tmp_path / "r"
        )
