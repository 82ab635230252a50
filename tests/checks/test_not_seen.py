"""A fault that was never seen makes a case ineffective, not broken: activities that were not played follow from it."""

from __future__ import annotations

import dataclasses

import pytest
from synthetic import START_NS, Effect, make_case

from pytest_anomod.checks import explain, judge, run_checks
from pytest_anomod.model.timeline import derive
from pytest_anomod.model.verdict import Verdict

REFUSED = "not played because of what failed before: hold, recovery"


def without_the_fault(failing, problems, seed=3):
    """A case in which one activity failed, so that neither hold nor recovery were played."""
    view = make_case(seed, effect=Effect())
    held = view.journal.activity("hold")
    played = []
    for activity in view.journal.played:
        if activity.name == "seen":
            activity = dataclasses.replace(activity, end_ns=held.end_ns)
        if activity.name == failing:
            activity = dataclasses.replace(activity, succeeded=False, error="within 8 s and 24 looks")
        if activity.name not in ("hold", "recovery"):
            played.append(activity)
    gone = played[-1]
    journal = dataclasses.replace(
        view.journal,
        played=tuple(played),
        refused=("hold", "recovery"),
        planned=tuple(activity.name for activity in view.journal.played),
        end_ns=gone.end_ns + 4_000_000_000,
    )
    frames = {}
    for name, rows in view.frames.items():
        rows = rows[rows["time_unix_nano"] < gone.end_ns]
        phases = {
            column: rows[column].replace("anomaly", "onset") for column in ("phase", "phase_end") if column in rows
        }
        frames[name] = rows.assign(**phases)
    return dataclasses.replace(
        view, journal=journal, timeline=derive(journal, START_NS), frames=frames, problems=tuple(problems)
    )


def judged(view):
    findings = run_checks(view)
    verdict = judge(view, findings)
    return verdict, explain(view, findings, verdict)


@pytest.mark.parametrize("failing", ["seen", "inject"])
def test_a_fault_that_did_not_get_in_is_ineffective(failing):
    """Though the rest of the method was not played, and the recovery was not watched."""
    verdict, said = judged(without_the_fault(failing, [f"{failing} failed: within 8 s and 24 looks", REFUSED]))
    assert verdict is Verdict.INEFFECTIVE, said
    assert "> mechanism: absent" in said
    assert "within 8 s and 24 looks" in said


def test_an_unsteady_baseline_is_no_excuse():
    """A fault that was tried and never seen is the fault's own affair; a calmer machine would not have shown it."""
    view = without_the_fault("seen", ["seen failed: within 8 s and 24 looks", REFUSED])
    answers = view.frames["api_responses"]
    failing = (answers["phase"] == "baseline") & (answers.index % 3 == 0)
    answers = answers.assign(status_code=answers["status_code"].mask(failing, 500))
    verdict, said = judged(dataclasses.replace(view, frames={**view.frames, "api_responses": answers}))
    assert "  steady: absent" in said
    assert verdict is Verdict.INEFFECTIVE, said


def test_whatever_else_failed_still_breaks_the_case():
    """The fault was not seen, and on top of that its way back failed."""
    problems = ["seen failed: not within 8 s", REFUSED, "recover failed: the store gave no answer"]
    verdict, said = judged(without_the_fault("seen", problems))
    assert verdict is Verdict.BROKEN
    assert "recover failed" in said
    assert "not played" not in said.split("mechanism")[0]


def test_what_failed_before_the_injection_still_breaks_the_case():
    """Then nothing was tried, and hold and recovery are missing for another reason."""
    view = without_the_fault("baseline", ["baseline failed: interrupted", REFUSED])
    assert judged(view)[0] is Verdict.BROKEN
