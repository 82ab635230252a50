"""A suite as workload: what it provokes on purpose is no failure, and it may be held up by what it waits for."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from small_system import Effect
from synthetic import SECOND, make_case

from pytest_anomod.checks import explain, judge, run_checks
from pytest_anomod.checks.affected import answers
from pytest_anomod.checks.complete import check_complete
from pytest_anomod.checks.cut import fault_cut
from pytest_anomod.checks.healed import check_healed
from pytest_anomod.checks.impact import check_impact
from pytest_anomod.checks.steady import check_steady
from pytest_anomod.checks.suite import check_suite
from pytest_anomod.checks.symptom import check_symptom
from pytest_anomod.model.journal import END_WORKLOAD, Activity
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import CaseView, Outcome, Verdict
from pytest_anomod.model.workload import OpenLoop, Suite

SUITE = Suite(path="/somewhere/suite.py", rate_rps=30.0)


def driven_by(view: CaseView, workload, responses: pd.DataFrame) -> CaseView:
    """The case with other responses, got by another workload."""
    scenario = dataclasses.replace(view.scenario, workload=workload)
    return dataclasses.replace(view, scenario=scenario, frames={**view.frames, "api_responses": responses})


def provoking(view: CaseView, status: int) -> pd.DataFrame:
    """The responses; every third one is a test's second step, which always gets that status."""
    rows = view.frames["api_responses"].copy()
    step = pd.Series(range(len(rows)), index=rows.index) % 3 // 2 + 1
    return rows.assign(step=step, status_code=rows["status_code"].where(step == 1, status))


@pytest.mark.parametrize("status", [400, 500])
def test_statuses_that_a_suite_provokes_are_no_failures(status):
    view = make_case(3)
    rows = provoking(view, status)
    replayed, open_loop = driven_by(view, SUITE, rows), driven_by(view, OpenLoop(rate_rps=30.0), rows)
    cut, usual = fault_cut(replayed), fault_cut(open_loop)
    assert not any(part["failed"].any() for part in cut.responses)
    assert all(part["failed"].mean() > 0.2 for part in usual.responses)
    assert check_steady(replayed).outcome is Outcome.PROVEN
    assert check_impact(replayed).outcome is Outcome.ABSENT


def test_a_status_that_is_new_in_the_anomaly_is_a_failure():
    view = make_case(4, effect=Effect(errors=1.0), target="text")
    rows = provoking(view, 400)
    replayed = driven_by(view, SUITE, rows)
    assert check_impact(replayed).outcome is Outcome.PROVEN


def bad_and_good(view: CaseView, round_s: float, *, shuffled: bool = True) -> CaseView:
    """Played by a suite whose first half is of bad requests, answered at once, and whose second half is of good ones.

    All are on one route, and in file order unless shuffled each round; the spans of bad requests fail, too.
    """
    rows = view.frames["api_responses"].sort_values("time_unix_nano", ignore_index=True)
    count = int(30 * round_s)
    rng = np.random.default_rng(1)
    orders = [rng.permutation(count) if shuffled else np.arange(count) for _ in range(len(rows) // count + 1)]
    number = pd.Series(np.concatenate(orders)[: len(rows)])
    bad = number < count / 2
    rows = rows.assign(
        journey="test_" + number.astype(str), method="GET", route="/r", status_code=rows["status_code"].mask(bad, 500),
        duration_ns=rows["duration_ns"].where(bad, rows["duration_ns"] * 4),
    )  # fmt: skip
    replayed = driven_by(view, SUITE, rows)
    traces, logs = (
        frame.assign(is_bad=frame["trace_id"].isin(rows["trace_id"][bad]))
        for frame in (view.frames["traces"], view.frames["logs"])
    )
    traces["status_code"] = traces["status_code"].mask(traces["is_bad"], "ERROR")
    logs["severity_number"] = logs["severity_number"].mask(logs["is_bad"], 17)
    return dataclasses.replace(replayed, frames={**replayed.frames, "traces": traces, "logs": logs})


@pytest.mark.parametrize(("round_s", "shuffled"), [(8.0, False), (16.0, True)])
def test_a_round_longer_than_half_a_baseline_is_no_drift_and_no_effect(round_s, shuffled):
    view = bad_and_good(make_case(10), round_s, shuffled=shuffled)
    findings = [check(view) for check in (check_steady, check_impact, check_symptom, check_healed)]
    asked = {"steady": Outcome.PROVEN, "impact": Outcome.ABSENT, "symptom": Outcome.ABSENT, "healed": Outcome.PROVEN}
    assert {found.check: found.outcome for found in findings} == asked, [found.message for found in findings]


def test_a_fault_shows_in_the_steps_that_the_baseline_saw():
    view = bad_and_good(make_case(11, effect=Effect(gone=True), target="gateway"), 16.0)
    assert check_impact(view).outcome is Outcome.PROVEN


def test_whether_a_step_that_the_baseline_never_saw_was_affected_is_unknown():
    view = bad_and_good(make_case(12, effect=Effect(errors=0.3), target="text"), 16.0)
    labels = answers(view)
    unseen = ~view.frames["api_responses"]["journey"].isin(
        view.frames["api_responses"].loc[lambda rows: rows["phase"] == "baseline", "journey"]
    )
    inside = (unseen & (view.frames["api_responses"]["phase"] == "anomaly")).to_numpy()
    assert inside.any()
    assert set(labels.affected[inside]) == {-1}


def warnings(view: CaseView) -> list[str]:
    return [found.message for found in check_suite(view)]


def with_summary(view: CaseView, **summary) -> CaseView:
    end = view.timeline.end_ns
    ended = Activity(name=END_WORKLOAD, start_ns=end, end_ns=end, succeeded=True, output={"summary": summary})
    return dataclasses.replace(view, journal=dataclasses.replace(view.journal, played=(*view.journal.played, ended)))


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([401, 403, 200], r"over half of the answers are 401 or 403 \(\d{3} of \d{3} in the baseline\): no login\?"),
        ([404, 401, 200], r"over half of the answers are errors \(\d{3} of \d{3} in the baseline: "),
    ],
)
def test_a_normal_control_of_a_suite_that_is_mostly_refused_says_so(statuses, said):
    view = make_case(13)
    rows = view.frames["api_responses"]
    number = pd.Series(range(len(rows)), index=rows.index) % 3
    replayed = driven_by(view, SUITE, rows.assign(
        step=number + 1, status_code=number.map(dict(enumerate(statuses))),
    ))  # fmt: skip
    findings = run_checks(replayed)
    verdict = judge(replayed, findings)
    assert verdict is Verdict.NORMAL
    assert re.search(f"suite: absent: {said}", explain(replayed, findings, verdict))
    assert not warnings(driven_by(view, OpenLoop(rate_rps=30.0), replayed.frames["api_responses"]))


def test_a_suite_that_half_of_its_answers_refuse_on_purpose_is_not_warned_of():
    view = make_case(3)
    assert not warnings(driven_by(view, SUITE, provoking(view, 403)))


def test_tests_that_fail_with_nothing_broken_are_warned_of():
    control = driven_by(make_case(3), SUITE, provoking(make_case(3), 200))
    mostly = {"failed": 1049, "passed": 492}
    assert (
        "tests failed with nothing broken (1,049 of 1,541): no login?"
        in warnings(with_summary(control, outcomes=mostly))[0]
    )
    assert not warnings(with_summary(control, outcomes={"failed": 492, "passed": 1049}))
    refused = {"requests": 1800, "refused_without_login": 500, "with_login": 20}
    said = "500 of 1,800 requests were refused with 401 or 403 and had no login, and 20 had one: no login?"
    assert said in warnings(with_summary(control, **refused))
    assert not warnings(with_summary(control, **refused | {"with_login": 900}))
    assert not warnings(with_summary(control, **refused | {"refused_without_login": 5, "with_login": 0}))
    broken = make_case(4, effect=Effect(errors=1.0), target="gateway")
    faulty = driven_by(broken, SUITE, provoking(broken, 200))
    assert not warnings(with_summary(faulty, outcomes=mostly))


def test_no_answer_is_always_a_failure():
    view = make_case(5)
    rows = provoking(view, 0)
    assert fault_cut(driven_by(view, SUITE, rows)).responses[0]["failed"].mean() > 0.2


def test_routes_are_what_a_suite_s_answers_are_grouped_by():
    view = make_case(6)
    rows = provoking(view, 200).assign(
        journey=lambda frame: "test_" + frame["step"].astype(str), route="/r", method="GET"
    )
    assert set(fault_cut(driven_by(view, SUITE, rows)).responses[0].split("key")) == {"GET /r"}


def test_a_suite_may_send_less_while_it_waits_and_an_open_loop_may_not():
    view = make_case(7)
    rows = provoking(view, 200)
    window = view.timeline.window(Phase.CONTROL)
    inside = (rows["time_unix_nano"] >= window.start_ns) & (rows["time_unix_nano"] < window.end_ns)
    fewer = rows[~inside | (rows["time_unix_nano"] % 5 == 0)]
    assert "the workload fell behind" not in check_complete(driven_by(view, SUITE, fewer)).message
    assert "the workload fell behind" in check_complete(driven_by(view, OpenLoop(rate_rps=30.0), fewer)).message


def test_a_window_without_a_request_is_whole_only_if_one_was_waited_for():
    view = make_case(8, effect=Effect(errors=1.0), target="text")
    window = view.timeline.window(Phase.ONSET)
    rows = provoking(view, 200)
    rows = rows[rows["phase"] != "onset"]
    missing = "no rows of api_responses in the onset window"
    assert missing in check_complete(driven_by(view, SUITE, rows)).message
    waiting = rows.iloc[:1].assign(
        time_unix_nano=window.start_ns - SECOND, duration_ns=window.end_ns - window.start_ns + 2 * SECOND,
        status_code=0, phase="baseline",
    )  # fmt: skip
    held_up = pd.concat([rows, waiting], ignore_index=True).sort_values("time_unix_nano")
    assert missing not in check_complete(driven_by(view, SUITE, held_up)).message
    assert missing in check_complete(driven_by(view, OpenLoop(rate_rps=30.0), held_up)).message


def test_a_workload_that_was_over_too_early_is_what_empty_windows_are_put_down_to():
    view = make_case(9)
    rows = provoking(view, 200)
    replayed = driven_by(view, SUITE, rows[rows["phase"] == "baseline"])
    summary = {"end_reason": "the suite is over", "elapsed_s": 4.2}
    replayed = with_summary(replayed, **summary)
    message = check_complete(replayed).message
    assert "the workload ended by itself 4.2 s after it began (the suite is over)" in message
    assert "no rows of api_responses in the control window" in message
