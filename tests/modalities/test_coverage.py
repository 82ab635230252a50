"""Coverage is per window: what ran between two edges, with agents that are away noted and not forgotten."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from pytest_anomod.modalities.coverage import Coverage
from pytest_anomod.model import clock
from pytest_anomod.model.errors import CaptureError, DeploymentError
from pytest_anomod.sources import line_counter

FILE = "social_network/text_service.py"


class Agent:
    """Answers snapshots from a list of covered lines, one after the other."""

    def __init__(self, *windows):
        self.windows = list(windows)
        self.since = 0
        self.held = None

    def __call__(self):
        if self.held is not None:
            self.held.wait(10)
        lines = self.windows.pop(0) if self.windows else []
        if isinstance(lines, Exception):
            raise lines
        now, since = clock.now_ns(), self.since
        self.since = now
        return {
            "files": {
                FILE: {
                    "covered": lines,
                    "executable": [1, 2, 5, 6, 7],
                    "functions": {"TextHandler.compose_text": [2, 7], "TextHandler.compose_text.inner": [5, 6]},
                }
            },
            "since_unix_nano": since,
            "at_unix_nano": now,
        }


@pytest.fixture(autouse=True)
def quick_edges(monkeypatch):
    monkeypatch.setattr(line_counter, "EDGE_WAIT_S", 0.2)
    monkeypatch.setattr(line_counter, "FINAL_WAIT_S", 0.4)


def play(deployment, edges=("baseline", "end"), pause_s=0.01):
    collector = Coverage().collector(deployment, deployment.sources())
    collector.start()
    for edge in edges:
        time.sleep(pause_s)
        collector.edge(edge)
    time.sleep(pause_s)
    collector.stop()
    return collector


def windows(collector, service="text-service"):
    """Rows by window, in order."""
    columns = collector.columns(0, 2**62)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    rows = [row for row in rows if row["service_name"] == service]
    starts = sorted({row["window_start_unix_nano"] for row in rows})
    return [[row for row in rows if row["window_start_unix_nano"] == start] for start in starts]


def covered(rows):
    return [row["line"] for row in rows if row["covered"]]


def test_each_window_has_the_lines_that_ran_in_it_and_those_that_did_not(deployment):
    deployment.add("text-service", agent=Agent([1, 2], [2, 5, 6], [2], []))
    warmup, baseline, last = windows(play(deployment))
    assert covered(warmup) == [2, 5, 6]
    assert covered(baseline) == [2]
    assert covered(last) == []
    assert [row["line"] for row in last] == [1, 2, 5, 6, 7]
    assert {row["file"] for row in warmup} == {FILE}
    assert [row["function"] for row in warmup] == [
        "<module>",
        "TextHandler.compose_text",
        "TextHandler.compose_text.inner",
        "TextHandler.compose_text.inner",
        "TextHandler.compose_text",
    ]
    assert not any(row["truncated"] for row in warmup + baseline + last)
    assert {row["service_instance_id"] for row in baseline} == {"text-service-1"}


def test_windows_touch_and_rows_lie_in_the_middle_of_theirs(deployment):
    deployment.add("text-service", agent=Agent([1]))
    found = windows(play(deployment))
    assert len(found) == 3
    for left, right in itertools.pairwise(found):
        assert left[0]["window_end_unix_nano"] == right[0]["window_start_unix_nano"]
    for rows in found:
        start, end = rows[0]["window_start_unix_nano"], rows[0]["window_end_unix_nano"]
        assert rows[0]["time_unix_nano"] == (start + end) // 2


def test_a_window_that_reaches_beyond_the_case_is_placed_within_it(deployment):
    deployment.add("text-service", agent=Agent([1]))
    collector = play(deployment)
    first = windows(collector)[0][0]
    start = first["window_end_unix_nano"] - 1000
    columns = collector.columns(start, 2**62)
    assert columns["time_unix_nano"][0] == start + 500


def test_an_agent_that_is_away_at_an_edge_truncates_the_windows_on_both_sides(deployment):
    deployment.add("text-service", agent=Agent([1], DeploymentError("refused"), [2], [5]))
    deployment.add("user-service", agent=Agent([1], [2], [2], [2]))
    collector = play(deployment)
    first, second, third = windows(collector)
    assert all(row["truncated"] and not row["covered"] for row in first)
    assert covered(second) == [2]
    assert covered(third) == [5]
    assert all(row["truncated"] for row in second), "it holds the lines of two windows"
    assert not any(row["truncated"] for row in third)
    assert not any(row["truncated"] for rows in windows(collector, "user-service") for row in rows)
    assert [service for service, _ in collector.readers[0].truncated] == ["text-service"] * 2


def test_a_held_agent_does_not_hold_the_edge_up_and_its_late_lines_are_flagged(deployment):
    agent = Agent([1], [2], [5], [6])
    deployment.add("text-service", agent=agent)
    collector = Coverage().collector(deployment, deployment.sources())
    collector.start()
    agent.held = threading.Event()
    started = time.monotonic()
    collector.edge("onset")
    collector.edge("anomaly")
    assert time.monotonic() - started < 10
    agent.held.set()
    time.sleep(0.1)
    collector.edge("recovery")
    collector.stop()
    first, second, third, fourth = windows(collector)
    assert covered(first) == [2]
    assert all(row["truncated"] for row in first + second)
    assert covered(second) == []
    assert covered(third) == [5]
    assert not any(row["truncated"] for row in fourth)


def test_a_service_that_restarted_in_a_window_truncates_that_one_alone(deployment):
    agent = Agent([1], [2], [5], [6])
    deployment.add("text-service", agent=agent)
    collector = Coverage().collector(deployment, deployment.sources())
    collector.start()
    time.sleep(0.01)
    agent.since = clock.now_ns()
    collector.edge("onset")
    collector.stop()
    first, second = windows(collector)
    assert all(row["truncated"] for row in first)
    assert not any(row["truncated"] for row in second)


@pytest.mark.parametrize("answer", [ZeroDivisionError("boom"), {"files": {FILE: {}}}, {"files": [1]}, None])
def test_an_agent_that_says_nonsense_is_an_error_and_no_empty_table(deployment, answer):
    answers = iter([Agent([1])(), answer])
    deployment.add("text-service", agent=lambda: next(answers))
    collector = Coverage().collector(deployment, deployment.sources())
    collector.start()
    with pytest.raises(CaptureError, match="text-service"):
        collector.stop()


def test_agents_that_do_not_answer_are_told_at_the_start(deployment):
    deployment.add("text-service", agent=lambda: DeploymentError("coverage is off in this deployment"))
    with pytest.raises(CaptureError, match="coverage is off"):
        Coverage().collector(deployment, deployment.sources()).start()


def test_without_agents_there_is_no_collector(deployment):
    deployment.add("user-mongodb", log_format="postgres")
    assert Coverage().collector(deployment, deployment.sources()) is None
