"""Reading Chaos Toolkit's journal: whole ones, broken-off ones, and what was only refused."""

from __future__ import annotations

import pytest

from pytest_anomod.model import journal as names
from pytest_anomod.model.clock import iso_to_ns
from pytest_anomod.model.journal import read_journal


def at(second: float) -> str:
    return f"2026-11-22T05:10:{second:09.6f}+00:00"


def entry(name: str, start: float, end: float | None = None, **fields):
    fields = {"activity": {"name": name}, "output": None, "start": at(start), "status": "succeeded", **fields}
    return {**fields, "end": at(end if end is not None else start)}


def failed(name: str, start: float, end: float, error: str):
    lines = ["Traceback (most recent call last):\n", f"chaoslib.exceptions.ActivityFailed: {error}\n"]
    return entry(name, start, end, status="failed", exception=lines)


def document(*run, rollbacks=(), **fields):
    whole = {"start": at(0), "end": at(50), "status": "completed", "deviated": False, "run": list(run)}
    return {**whole, "rollbacks": list(rollbacks), **fields}


REFUSED = "pytest_anomod.model.errors.NotPlayedError: inject ended with InjectionError"


def test_activities_have_times_outcome_and_output():
    journal = read_journal(document(entry("baseline", 1.5, 2.25, output={"waited_s": 1})))
    [baseline] = journal.played
    assert (baseline.start_ns, baseline.end_ns) == (iso_to_ns(at(1.5)), iso_to_ns(at(2.25)))
    assert baseline.succeeded
    assert baseline.output == {"waited_s": 1}
    assert baseline.error == ""


def test_rollbacks_follow_the_method_and_the_last_of_a_name_counts():
    journal = read_journal(
        document(entry("inject", 1), rollbacks=[failed("recover", 2, 3, "m.E: no"), entry("recover", 4)])
    )
    assert [activity.name for activity in journal.played] == ["inject", "recover", "recover"]
    assert journal.activity("recover").succeeded
    assert journal.activity("hold") is None


def test_the_error_is_our_own_without_the_toolkits_wrapping():
    journal = read_journal(document(failed("inject", 1, 2, "pytest_anomod.model.errors.InjectionError: no way\nin")))
    assert journal.played[0].error == "pytest_anomod.model.errors.InjectionError: no way\nin"
    assert not journal.played[0].succeeded


def test_what_refused_to_act_was_not_played():
    journal = read_journal(document(failed("inject", 1, 2, "m.E: no"), failed("seen", 2, 2, REFUSED)))
    assert [activity.name for activity in journal.played] == ["inject"]
    assert journal.refused == ("seen",)


def test_an_activity_cut_off_by_an_interrupt_has_not_succeeded():
    cut = entry("hold", 3, 4)
    del cut["status"]
    journal = read_journal(document(cut))
    assert (journal.played[0].succeeded, journal.played[0].error) == (False, "interrupted")


def test_an_entry_that_never_began_is_left_out():
    assert read_journal(document({"activity": {"name": "hold"}})).played == ()


def test_the_gate_and_the_later_look():
    states = {
        "before": {"steady_state_met": True, "probes": [entry("warm-up", 0, tolerance_met=True)]},
        "after": {"steady_state_met": False, "probes": [entry("steady", 9, tolerance_met=False)]},
        "during": [],
    }
    journal = read_journal(document(steady_states=states, deviated=True))
    assert (journal.steady_before, journal.deviated) == (True, True)
    assert [probe.succeeded for probe in (*journal.before, *journal.after)] == [True, False]


def test_a_gate_that_was_never_asked_is_none():
    journal = read_journal(document(steady_states={"before": None, "after": None, "during": []}))
    assert (journal.steady_before, journal.before, journal.after) == (None, (), ())


def test_a_journal_without_an_end_ends_with_its_last_time():
    cut = document(entry("baseline", 1, 2), rollbacks=[entry("recover", 7, 8)], status=None)
    del cut["end"]
    journal = read_journal(cut)
    assert journal.end_ns == iso_to_ns(at(8))
    assert journal.status == ""


@pytest.mark.parametrize(
    ("method", "control"),
    [([names.BASELINE, names.HOLD], True), ([names.BASELINE, names.INJECT, names.HOLD], False)],
)
def test_a_control_is_told_by_what_was_planned_not_by_what_was_reached(method, control):
    experiment = {"method": [{"name": name} for name in method], "rollbacks": [{"name": names.RECOVERY}]}
    journal = read_journal(document(experiment=experiment))
    assert journal.is_control is control
    assert journal.planned == (*method, names.RECOVERY)


@pytest.mark.parametrize("wrong", [{}, {"run": []}, {"start": at(0)}])
def test_what_is_no_journal_is_refused(wrong):
    with pytest.raises(ValueError, match="not a Chaos Toolkit journal"):
        read_journal(wrong)
