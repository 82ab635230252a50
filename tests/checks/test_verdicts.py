"""Whole synthetic cases with known truth: each kind gets its verdict, and the message carries the numbers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from small_system import QUIET, Dummy, Effect, Noise
from synthetic import make_case

from pytest_anomod import checks
from pytest_anomod.checks import explain, judge, run_checks, steady_again, top_shifts
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import Outcome, Verdict


def verdict_of(view):
    return judge(view, run_checks(view))


def finding(view, question):
    return checks.CHECKS[question](view)


POSITIVES = {
    "total outage": ({"effect": Effect(gone=True), "target": "gateway"}, Verdict.EFFECTIVE),
    "outage of a tenth of the requests": ({"effect": Effect(gone=True)}, Verdict.EFFECTIVE),
    "outage of a twentieth": ({"effect": Effect(gone=True), "target": "graph", "rate": 20.0}, Verdict.EFFECTIVE),
    "latency twice": ({"effect": Effect(slower=5.6), "target": "posts"}, Verdict.EFFECTIVE),
    "latency twice, stall before": (
        {"effect": Effect(slower=5.6), "target": "posts", "noise": Noise(stall="baseline")}, Verdict.EFFECTIVE),
    "empty answers": ({"effect": Effect(wrong=True), "target": "home"}, Verdict.EFFECTIVE),
    "evicting store": ({"effect": Effect(setting=True), "target": "home-cache"}, Verdict.TOLERATED),
    "busy processor nobody feels": ({"effect": Effect(cpu=0.5)}, Verdict.TOLERATED),
    "restart nobody feels": ({"effect": Effect(restarts=True)}, Verdict.TOLERATED),
}  # fmt: skip
NEGATIVES = {
    "control": ({}, Verdict.NORMAL),
    "control without neighbours": ({"noise": QUIET}, Verdict.NORMAL),
    "control, stall in the baseline": ({"noise": Noise(stall="baseline")}, Verdict.NORMAL),
    "control, stall in its window": ({"noise": Noise(stall="control")}, Verdict.NORMAL),
    "control, stall with failed requests": ({"noise": Noise(stall="control", stall_errors=True)}, Verdict.NORMAL),
    "fault does nothing": ({"effect": Effect()}, Verdict.SILENT),
    "fault does nothing, stall": ({"effect": Effect(), "noise": Noise(stall="anomaly")}, Verdict.SILENT),
    "fault does nothing, no neighbours": ({"effect": Effect(), "noise": QUIET}, Verdict.SILENT),
}


@pytest.mark.parametrize("seed", [11])
@pytest.mark.parametrize("kind", POSITIVES)
def test_what_happened_is_found(kind, seed):
    arguments, expected = POSITIVES[kind]
    view = make_case(seed, **arguments)
    findings = run_checks(view)
    assert judge(view, findings) is expected, explain(view, findings, judge(view, findings))


@pytest.mark.parametrize("seed", [21, 22])
@pytest.mark.parametrize("kind", NEGATIVES)
def test_what_did_not_happen_is_not_found(kind, seed):
    arguments, expected = NEGATIVES[kind]
    view = make_case(seed, **arguments)
    findings = run_checks(view)
    assert judge(view, findings) is expected, explain(view, findings, judge(view, findings))


def test_a_fault_that_was_not_held_is_ineffective():
    view = make_case(3, effect=Effect(gone=True), held_ratio=0.4)
    assert verdict_of(view) is Verdict.INEFFECTIVE
    assert "40%" in finding(view, "mechanism").message


def test_a_fault_whose_probe_failed_is_ineffective_whatever_users_felt():
    """The injector's own success is never evidence."""
    view = make_case(3, effect=Effect(gone=True))
    played = tuple(dataclasses.replace(activity, succeeded=activity.name != "seen") for activity in view.journal.played)
    view = dataclasses.replace(view, journal=dataclasses.replace(view.journal, played=played))
    assert finding(view, "mechanism").outcome is Outcome.ABSENT
    assert verdict_of(view) is Verdict.INEFFECTIVE


def test_a_fault_never_seen_gone_is_broken():
    view = make_case(3, effect=Effect(gone=True))
    played = tuple(
        dataclasses.replace(activity, succeeded=activity.name != "gone", error="still there")
        for activity in view.journal.played
    )
    view = dataclasses.replace(view, journal=dataclasses.replace(view.journal, played=played))
    assert verdict_of(view) is Verdict.BROKEN
    assert "still there" in finding(view, "healed").message


def test_a_system_that_stays_hurt_has_not_healed():
    view = make_case(4, effect=Effect(errors=0.9, stays=True), target="home")
    assert finding(view, "healed").outcome is Outcome.ABSENT
    assert verdict_of(view) is Verdict.BROKEN
    assert "requests failed" in finding(view, "healed").message


def test_steady_again_is_soon_after_gone_for_what_heals_and_never_for_what_stays():
    healed = make_case(5, effect=Effect(gone=True), target="posts", noise=QUIET)
    gone_ns = healed.timeline.window(Phase.RECOVERY).start_ns
    assert gone_ns <= steady_again(healed) < gone_ns + 1_500_000_000
    assert steady_again(make_case(5, effect=Effect(gone=True, stays=True), target="gateway", noise=QUIET)) is None


def test_errors_in_the_baseline_contaminate():
    view = make_case(6, effect=Effect(gone=True))
    frame = view.frames["api_responses"]
    rows = frame.index[frame["phase"] == "baseline"][:20]
    frame.loc[rows, "status_code"] = 503
    assert verdict_of(view) is Verdict.CONTAMINATED
    assert "20 of" in finding(view, "steady").message


def test_users_hit_elsewhere_contaminate():
    """The target shows nothing while answers that don't pass through it fail: the label would be wrong."""
    view = make_case(7, effect=Effect(), target="graph")
    frame = view.frames["api_responses"]
    hit = (frame["phase"] == "anomaly") & (frame["journey"] == "read-user")
    frame.loc[hit, "status_code"] = 500
    findings = run_checks(view)
    assert judge(view, findings) is Verdict.CONTAMINATED
    assert "> impact" in explain(view, findings, Verdict.CONTAMINATED)


def test_a_control_that_was_hit_is_contaminated():
    view = make_case(8)
    frame = view.frames["api_responses"]
    frame.loc[(frame["phase"] == "control") & (frame["journey"] == "compose"), "status_code"] = 500
    assert verdict_of(view) is Verdict.CONTAMINATED


def test_a_target_nobody_calls_is_broken_and_says_what_to_do():
    view = make_case(9, effect=Effect(), target="text")
    lone = dataclasses.replace(view.scenario, target="nowhere")
    view = dataclasses.replace(view, scenario=lone)
    assert verdict_of(view) is Verdict.BROKEN
    assert "no request passes through nowhere" in finding(view, "steady").message


@pytest.mark.parametrize("modality", ["logs", "metrics", "traces", "api_responses", "coverage"])
def test_a_window_without_rows_of_a_modality_is_broken(modality):
    view = make_case(10, effect=Effect(gone=True), noise=QUIET)
    frames = dict(view.frames)
    frames[modality] = frames[modality][frames[modality]["phase"] != "anomaly"]
    view = dataclasses.replace(view, frames=frames)
    assert verdict_of(view) is Verdict.BROKEN
    assert f"no rows of {modality} in the anomaly window" in finding(view, "complete").message


def test_a_missing_modality_is_broken():
    view = make_case(10, noise=QUIET)
    view = dataclasses.replace(view, frames={name: rows for name, rows in view.frames.items() if name != "logs"})
    assert verdict_of(view) is Verdict.BROKEN
    assert "the modality logs is missing" in finding(view, "complete").message


def test_lost_records_and_problems_are_broken():
    view = make_case(10, noise=QUIET)
    assert (
        "500 records of logs were lost" in finding(dataclasses.replace(view, dropped={"logs": 500}), "complete").message
    )
    assert verdict_of(dataclasses.replace(view, problems=("rollback failed",))) is Verdict.BROKEN


@pytest.mark.parametrize(("effect", "event"), [(None, "recovery began"), (Effect(gone=True), "the fault was gone")])
def test_a_control_is_steady_since_its_recovery_and_not_since_a_fault(effect, event):
    view = make_case(10, effect=effect, noise=QUIET)
    assert view.scenario.is_control is (effect is None)
    assert finding(view, "healed").message.endswith(f" s after {event}")


def test_answers_without_traces_are_broken():
    view = make_case(10, noise=QUIET)
    frame = view.frames["api_responses"]
    frame.loc[frame.index[::10], "trace_id"] = "f" * 32
    assert "have a trace" in finding(view, "complete").message
    assert verdict_of(view) is Verdict.BROKEN


def test_a_workload_that_fell_behind_is_broken():
    view = make_case(10, effect=Effect(), noise=QUIET)
    frame = view.frames["api_responses"]
    late = (frame["phase"] == "anomaly") & (frame.index % 2 == 0)
    view = dataclasses.replace(view, frames={**view.frames, "api_responses": frame[~late]})
    assert "fell behind" in finding(view, "complete").message


def test_rows_in_the_wrong_phase_or_time_are_broken():
    view = make_case(10, noise=QUIET)
    view.frames["logs"].loc[5, "phase"] = "recovery"
    assert "1 rows of logs carry another phase" in finding(view, "aligned").message
    view = make_case(10, noise=QUIET)
    view.frames["metrics"].loc[0, "time_unix_nano"] -= 3_600_000_000_000
    assert "outside the case's timeline" in finding(view, "aligned").message


def test_spans_that_begin_before_those_above_them_are_broken():
    view = make_case(10, noise=QUIET)
    frame = view.frames["traces"]
    frame.loc[frame["service_name"] == "posts", "time_unix_nano"] -= 50_000_000
    assert "before the span above them" in finding(view, "aligned").message


def test_a_crashing_check_is_broken_and_names_the_error(monkeypatch):
    def crash(view):
        return 1 / 0

    monkeypatch.setitem(checks.CHECKS, "impact", crash)
    view = make_case(10, noise=QUIET)
    findings = run_checks(view)
    assert judge(view, findings) is Verdict.BROKEN
    crashed = next(found for found in findings if found.question == "impact")
    assert "ZeroDivisionError: division by zero" in crashed.message


def test_an_unanswered_question_is_never_valid():
    view = make_case(10, noise=QUIET)
    findings = [found for found in run_checks(view) if found.question != "aligned"]
    assert judge(view, findings) is Verdict.BROKEN


def test_a_code_fault_shows_in_the_lines_of_its_function():
    """Three lines of sixty are too few to tell from chance, unless they are the function that the fault names."""
    plain = make_case(13, effect=Effect(lost_lines=4), noise=QUIET)
    assert verdict_of(plain) is Verdict.SILENT
    named = make_case(13, effect=Effect(lost_lines=4), noise=QUIET, fault=Dummy(function="text:Handler.part_0"))
    assert verdict_of(named) is Verdict.TOLERATED
    assert "lines changed" in finding(named, "symptom").message


@pytest.mark.parametrize("usual", [(75,), (420, 700, 1021, 1186, 1298)], ids=["all alike", "all kinds"])
@pytest.mark.parametrize(("function", "moved"), [("text:Handler.part_0", True), ("", False)], ids=["code", "another"])
def test_a_wrong_value_shows_in_the_size_of_the_targets_answers(usual, function, moved):
    """Its lines run as ever; a fault that names no function is not sought there, as healthy answers grow, too."""
    view = make_case(13, effect=Effect(), noise=QUIET, fault=Dummy(function=function))
    spans = view.frames["traces"]
    sizes = np.where(spans["phase"] == Phase.ANOMALY, 89, np.resize(usual, len(spans)))
    spans["attributes"] = [f'{{"http.response.body.size":{size}}}' for size in sizes]
    found = finding(view, "symptom")
    assert (found.outcome is Outcome.PROVEN) is moved
    assert (" size " in found.message.split("nearest")[0]) is moved


def test_the_explanation_names_verdicts_and_nearest_misses():
    view = make_case(14, effect=Effect())
    findings = run_checks(view)
    text = explain(view, findings, judge(view, findings))
    assert "silent, expected effective" in text
    assert "> impact: absent: none of" in text
    assert "nearest:" in text
    assert " < " in text, "a nearest miss says by how much it missed"


def test_findings_and_shifts_are_json():
    """Both go into files; a shift that is infinite or a numpy number would not."""
    view = make_case(15, effect=Effect(gone=True), target="home-cache")
    text = json.dumps([dataclasses.asdict(found) for found in run_checks(view)], allow_nan=False)
    assert "p_corrected" in text
    rows = top_shifts(view)
    json.dumps(rows, allow_nan=False)
    assert rows[0]["moved"]
    assert any("home-cache" in row["subject"] for row in rows)


def test_a_case_that_broke_off_has_findings_and_a_verdict():
    """Nothing was seen, so there is no anomaly window: still one finding a question, and no crash."""
    view = make_case(16, effect=Effect())
    played = tuple(dataclasses.replace(activity, succeeded=activity.name != "seen") for activity in view.journal.played)
    journal = dataclasses.replace(view.journal, played=played[:3])
    windows = tuple(w for w in view.timeline.windows if w.phase in (Phase.WARMUP, Phase.BASELINE, Phase.ONSET))
    timeline = dataclasses.replace(view.timeline, windows=windows)
    frames = {name: rows[rows["time_unix_nano"] < windows[-1].end_ns] for name, rows in view.frames.items()}
    view = dataclasses.replace(view, journal=journal, timeline=timeline, frames=frames)
    assert [found.question for found in run_checks(view)] == list(checks.CHECKS)
    assert verdict_of(view) is Verdict.BROKEN
    assert top_shifts(view) == []
