"""Verdicts on a busy machine: contaminated with figures, never broken; a fault that did nothing is ineffective."""

from __future__ import annotations

import dataclasses

import pytest
from small_system import Effect
from synthetic import make_case

from pytest_anomod.checks import explain, judge, run_checks
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import BusyMachineError
from pytest_anomod.model.journal import Activity, Journal
from pytest_anomod.model.verdict import Outcome, Verdict

FIGURES = "4.0 tasks wanted one of 2 cores in the median, 90% of the time with a task waiting for one"
TOO_BUSY = f"{BusyMachineError.__module__}.BusyMachineError: the machine was too busy for a baseline of 10 s: {FIGURES}"


def with_output(journal: Journal, name: str, **output) -> Journal:
    """The journal with this output of an activity."""
    played = [dataclasses.replace(one, output=output) if one.name == name else one for one in journal.played]
    return dataclasses.replace(journal, played=tuple(played))


def judged(view):
    findings = run_checks(view)
    return judge(view, findings), {finding.question: finding for finding in findings}, findings


def test_a_machine_that_never_got_calm_contaminates_and_says_so():
    """Whatever else is missing of such a case: it has no windows to judge."""
    view = make_case(effect=Effect(gone=True), target="gateway")
    failed = Activity(name=names.BASELINE, start_ns=1, end_ns=2, succeeded=False, error=TOO_BUSY)
    journal = dataclasses.replace(view.journal, played=(failed,))
    view = dataclasses.replace(view, journal=journal)
    verdict, found, findings = judged(view)
    assert verdict is Verdict.CONTAMINATED
    assert found["calm"].outcome is Outcome.ABSENT
    assert found["calm"].message == f"the machine was too busy for a baseline of 10 s: {FIGURES}"
    assert f"> calm: absent: {found['calm'].message}" in explain(view, findings, verdict)


def test_a_window_that_nobody_looked_at_is_not_said_to_be_calm():
    """It does not spoil the case either."""
    view = make_case(effect=Effect(gone=True), target="gateway")
    view = dataclasses.replace(view, journal=with_output(view.journal, names.BASELINE, pressure=None))
    verdict, found, _ = judged(view)
    assert verdict is Verdict.EFFECTIVE
    assert found["calm"].outcome is Outcome.NOT_ASKED
    assert found["calm"].message == "nobody looked at the machine for most of the baseline"


@pytest.mark.parametrize(("too_busy", "verdict"), [(True, Verdict.CONTAMINATED), (False, Verdict.BROKEN)])
def test_not_healed_on_a_busy_machine_says_nothing_of_the_system(too_busy, verdict):
    view = make_case(effect=Effect(gone=True, stays=True), target="gateway")
    journal = with_output(view.journal, names.RECOVERY, too_busy=too_busy, pressure=FIGURES)
    view = dataclasses.replace(view, journal=journal)
    got, found, findings = judged(view)
    assert found["healed"].outcome is Outcome.ABSENT
    assert got is verdict
    if too_busy:
        assert f"> calm: absent: the machine was too busy: in the recovery {FIGURES}" in explain(view, findings, got)


@pytest.mark.parametrize(
    ("effect", "on_calm"), [(Effect(cpu=0.5), Verdict.TOLERATED), (Effect(gone=True), Verdict.EFFECTIVE)]
)
def test_what_did_not_show_on_a_busy_machine_may_show_on_a_calm_one(effect, on_calm):
    """An effect that is there counts on any machine; that there is none, only on a calm one."""
    view = make_case(effect=effect)
    assert judged(view)[0] is on_calm
    held = next(one.output for one in view.journal.played if one.name == names.HOLD)
    journal = with_output(view.journal, names.HOLD, **held, too_busy=True, pressure=FIGURES)
    got, found, _ = judged(dataclasses.replace(view, journal=journal))
    assert found["calm"].message == f"the machine was too busy: in the anomaly {FIGURES}"
    assert got is (Verdict.CONTAMINATED if on_calm is Verdict.TOLERATED else on_calm)


def test_a_calm_case_says_how_calm():
    view = make_case(effect=Effect(gone=True), target="gateway")
    view = dataclasses.replace(view, journal=with_output(view.journal, names.BASELINE, pressure=FIGURES))
    verdict, found, _ = judged(view)
    assert verdict is Verdict.EFFECTIVE
    assert found["calm"].message == f"in the baseline {FIGURES}"


def test_what_was_extended_is_in_the_journal():
    journal = make_case(effect=Effect(gone=True), target="gateway").journal
    assert journal.extended == ()
    journal = with_output(journal, names.BASELINE, begun_anew=2, why=FIGURES)
    journal = with_output(journal, names.RECOVERY, waited_s=9.0, asked_s=5.0, settled=True, tail="0 of 90 failed")
    assert journal.extended == (
        f"the baseline began anew 2 times: {FIGURES}",
        "the recovery took 4.0 s more, until users were served again: 0 of 90 failed",
    )
