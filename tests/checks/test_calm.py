"""Verdicts on a busy machine: contaminated with figures, never broken; a fault that did nothing is ineffective."""

from __future__ import annotations

import dataclasses
import json

import pytest
from small_system import Effect
from synthetic import SECOND, make_case
from test_not_seen import without_the_fault

from pytest_anomod.checks import explain, judge, run_checks
from pytest_anomod.checks.calm import check_calm
from pytest_anomod.dataset.read_case import read_timeline
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import BusyMachineError
from pytest_anomod.model.journal import Activity, Journal
from pytest_anomod.model.timeline import Phase, derive
from pytest_anomod.model.verdict import Outcome, Verdict

FIGURES = "4.0 tasks wanted one of 2 cores in the median, 90% of the time with a task waiting for one"
BUSY = f"while the machine was too busy: {FIGURES}"
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


def test_what_was_extended_is_in_the_journal_and_the_timeline(tmp_path):
    journal = make_case(effect=Effect(gone=True), target="gateway").journal
    assert journal.extended == ()
    journal = with_output(journal, names.BASELINE, begun_anew=2, why=FIGURES)
    journal = with_output(journal, names.RECOVERY, waited_s=9.0, asked_s=5.0, settled=True, tail="0 of 90 failed")
    journal = with_output(journal, names.SEEN, busy_s=8.2, why=FIGURES)
    journal = with_output(journal, names.GONE, busy_s=0.4, why=FIGURES)
    start_ns = journal.played[0].start_ns - 9_000_000_000
    output = {"status": "steady", "waited_s": 4.0, "busy_s": 2.0, "why": FIGURES}
    gate = Activity(name=names.STEADY, start_ns=start_ns + 1, end_ns=start_ns + 2, succeeded=True, output=output)
    journal = dataclasses.replace(journal, before=(gate,))
    told = {
        Phase.WARMUP: f"the warm-up took 4.0 s more, until users were served (2 s {BUSY})",
        Phase.BASELINE: f"the baseline began anew 2 times: {FIGURES}",
        Phase.ONSET: f"8 s until the fault was seen did not count, {BUSY}",
        Phase.RECOVERY: "the recovery took 4.0 s more, until users were served again: 0 of 90 failed",
    }
    assert journal.extended == tuple(told.values())
    timeline = derive(journal, start_ns)
    assert {window.phase: window.extended for window in timeline.windows if window.extended} == {
        phase: (why,) for phase, why in told.items()
    }
    (tmp_path / "timeline.json").write_text(json.dumps(timeline.to_json()), encoding="utf-8")
    assert read_timeline(tmp_path / "timeline.json").to_json() == timeline.to_json()


def test_the_recovery_between_two_faults_and_the_limits_of_the_second_are_told():
    """Of the first fault alone, only what is of all faults or its own."""
    outputs = {
        "between": {"waited_s": 9.0, "asked_s": 5.0, "settled": False, "tail": "9 of 90 failed"},
        "gone-2": {"busy_s": 3.0, "why": FIGURES},
    }
    played = [Activity(name=name, start_ns=1, end_ns=2, succeeded=True, output=outputs[name]) for name in outputs]
    journal = dataclasses.replace(make_case().journal, played=tuple(played))
    between, gone = journal.extended
    assert (
        between == "the recovery after the fault took 4.0 s more, and users were not served as before: 9 of 90 failed"
    )
    assert gone == f"3 s until fault 2 was gone did not count, {BUSY}"
    assert journal.alone(1).extended == (between,)


def _failing(view, failing, error, problems, *, refused=()):
    """The case in which an activity failed with this error, and those that were not played for it."""
    played = [one for one in view.journal.played if one.name not in refused]
    played = [dataclasses.replace(one, succeeded=False, error=error) if one.name == failing else one for one in played]
    journal = dataclasses.replace(
        view.journal, played=tuple(played), refused=refused, planned=tuple(one.name for one in view.journal.played)
    )
    return dataclasses.replace(view, journal=journal, problems=problems)


NOT_PLAYED = "not played because of what failed before: recovery"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(TOO_BUSY, Verdict.CONTAMINATED), ("pytest_anomod.model.errors.InjectionError: it stays", Verdict.BROKEN)],
)
def test_a_fault_that_is_not_seen_gone_in_time(error, verdict):
    """On a busy machine that says nothing of the system; on a calm one the case is broken."""
    view = make_case(effect=Effect(gone=True), target="gateway")
    view = _failing(view, "gone", error, (f"gone failed: {error}", NOT_PLAYED), refused=("recovery",))
    got, found, findings = judged(view)
    assert got is verdict
    assert found["complete"].outcome is (Outcome.PROVEN if verdict is Verdict.CONTAMINATED else Outcome.BROKEN)
    if verdict is Verdict.CONTAMINATED:
        assert f"> calm: absent: the machine was too busy for a baseline of 10 s: {FIGURES}" in explain(
            view, findings, got
        )


def test_whatever_else_failed_on_a_busy_machine_still_breaks_the_case():
    view = make_case(effect=Effect(gone=True), target="gateway")
    problems = (f"gone failed: {TOO_BUSY}", NOT_PLAYED, "hold failed: KeyError: 'x'")
    assert judged(_failing(view, "gone", TOO_BUSY, problems, refused=("recovery",)))[0] is Verdict.BROKEN


def test_a_fault_that_was_never_seen_is_ineffective_on_a_busy_machine_too():
    """Though nobody could see it gone there, and records are lost."""
    refused = "not played because of what failed before: hold, recovery"
    view = without_the_fault("seen", ["seen failed: within 8 s and 24 looks", refused, f"gone failed: {TOO_BUSY}"])
    played = [
        dataclasses.replace(one, succeeded=False, error=TOO_BUSY) if one.name == "gone" else one
        for one in view.journal.played
    ]
    journal = dataclasses.replace(view.journal, played=tuple(played))
    for dropped in (view.dropped, {"logs": 500}):
        busy = dataclasses.replace(view, journal=journal, dropped=dropped)
        got, found, findings = judged(busy)
        assert got is Verdict.INEFFECTIVE, explain(busy, findings, got)
        assert found["calm"].outcome is Outcome.ABSENT


@pytest.mark.parametrize("too_busy", [True, False])
@pytest.mark.parametrize("effect", [Effect(gone=True), None], ids=["fault", "control"])
def test_what_a_busy_machine_lost_may_be_there_on_a_calm_one(effect, too_busy):
    view = make_case(effect=effect, target="gateway")
    held = next(one.output for one in view.journal.played if one.name == names.HOLD)
    journal = with_output(view.journal, names.HOLD, **held, too_busy=too_busy, pressure=FIGURES)
    for change in (_without_spans, _behind, lambda view: dataclasses.replace(view, dropped={"logs": 500})):
        changed = change(dataclasses.replace(view, journal=journal))
        got, found, _ = judged(changed)
        assert found["complete"].outcome is Outcome.ABSENT
        assert got is (Verdict.CONTAMINATED if too_busy else Verdict.BROKEN)


def test_what_no_pressure_explains_is_broken_on_a_busy_machine_too():
    view = make_case(effect=Effect(gone=True), target="gateway")
    held = next(one.output for one in view.journal.played if one.name == names.HOLD)
    journal = with_output(view.journal, names.HOLD, **held, too_busy=True, pressure=FIGURES)
    view = dataclasses.replace(view, journal=journal, problems=("the collector died",), dropped={"logs": 500})
    assert judged(view)[0] is Verdict.BROKEN


def _without_spans(view):
    spans = view.frames["traces"]
    ids = sorted(set(spans["trace_id"]))[::20]
    return dataclasses.replace(view, frames={**view.frames, "traces": spans[~spans["trace_id"].isin(ids)]})


def _behind(view):
    answers = view.frames["api_responses"]
    late = (answers["phase"] == str(view.timeline.windows[-1].phase)) & (answers.index % 2 == 0)
    return dataclasses.replace(view, frames={**view.frames, "api_responses": answers[~late]})


def test_windows_too_short_to_tell_are_said_to_be():
    """A window of less than two seconds is never too busy; where all are so short nothing can be asked."""
    view = make_case(effect=Effect(gone=True), target="gateway", window_s=3.0)
    journal = view.journal
    for name in (names.BASELINE, names.RECOVERY):
        journal = with_output(journal, name, pressure=FIGURES)
    found = check_calm(dataclasses.replace(view, journal=journal))
    assert found.outcome is Outcome.PROVEN
    assert found.message.startswith(f"in the baseline {FIGURES}; too short to tell ")
    assert found.message.endswith("which takes 2 s: recovery")
    short = tuple(dataclasses.replace(one, end_ns=one.start_ns + SECOND) for one in journal.played)
    found = check_calm(dataclasses.replace(view, journal=dataclasses.replace(journal, played=short)))
    assert found.outcome is Outcome.NOT_ASKED


def test_a_gate_that_fails_on_a_busy_machine_contaminates():
    view = make_case(effect=Effect(gone=True), target="gateway")
    failed = Activity(name=names.STEADY, start_ns=1, end_ns=2, succeeded=False, error=TOO_BUSY)
    planned = tuple(one.name for one in view.journal.played)
    journal = dataclasses.replace(view.journal, before=(failed,), steady_before=False, played=(), planned=planned)
    problems = (f"the system was not steady before the method: steady: {TOO_BUSY}", f"never reached: {planned}")
    verdict, found, _ = judged(dataclasses.replace(view, journal=journal, problems=problems))
    assert verdict is Verdict.CONTAMINATED
    assert FIGURES in found["calm"].message
