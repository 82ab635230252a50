"""A case is judged by the modalities that it has: what can't be asked is neither proven nor failed, and is said."""

from __future__ import annotations

import dataclasses

import pytest
from small_system import QUIET, Effect
from synthetic import make_case

from pytest_anomod.checks import explain, judge, run_checks
from pytest_anomod.checks.aligned import SKEW_NS, check_aligned
from pytest_anomod.faults.kill_service import KillService
from pytest_anomod.faults.network_bandwidth import NetworkBandwidth
from pytest_anomod.model.verdict import Outcome, Verdict

OUTAGE = Effect(errors=1.0)
WHY = "the system has none"


def without(view, *names):
    """The same case of a system that has no source of some modalities."""
    frames = {name: rows for name, rows in view.frames.items() if name not in names}
    return dataclasses.replace(view, frames=frames, absent=dict.fromkeys(names, WHY))


def judged(view):
    """Verdict, findings by question, explanation."""
    findings = run_checks(view)
    verdict = judge(view, findings)
    return verdict, {found.question: found for found in findings}, explain(view, findings, verdict)


@pytest.fixture(scope="module")
def outage():
    return make_case(10, effect=OUTAGE, noise=QUIET)


@pytest.mark.parametrize("names", [("coverage",), ("traces",), ("logs",), ("metrics",), ("logs", "coverage")])
def test_what_is_left_proves_an_outage(outage, names):
    """The target shows it in whatever else there is, and the explanation says what there is not."""
    verdict, found, said = judged(without(outage, *names))
    assert verdict is Verdict.EFFECTIVE, said
    assert {found[question].outcome for question in ("complete", "symptom", "impact")} == {Outcome.PROVEN}
    assert f"not there: {', '.join(names)}" in found["complete"].message
    assert all(f"  no {name}: {WHY}" in said for name in names)


def test_without_logs_and_traces_the_target_can_not_be_asked(outage):
    """Its metrics say nothing of its answers; users were hit, the probe saw the fault, and all healed."""
    verdict, found, said = judged(without(outage, "logs", "traces"))
    assert found["symptom"].outcome is Outcome.NOT_ASKED
    assert found["symptom"].message.startswith("no span is of text or of a call to it")
    assert found["steady"].outcome is Outcome.PROVEN
    assert "traces don't tell what passes through text" in found["steady"].message
    assert found["steady"].evidence["requests_per_second_through_target"] is None
    assert verdict is Verdict.EFFECTIVE, said
    assert "> symptom: not_asked: " in said
    assert "nothing tells how the target itself answered" in said
    assert "its target showed it" not in said


def test_metrics_alone_may_prove_the_symptom():
    view = make_case(10, effect=Effect(errors=1.0, cpu=0.8), noise=QUIET)
    verdict, found, said = judged(without(view, "logs", "traces", "coverage"))
    assert (verdict, found["symptom"].outcome) == (Verdict.EFFECTIVE, Outcome.PROVEN), said
    assert "text cpu" in found["symptom"].message


def test_answers_alone_are_judged_too(outage):
    verdict, found, said = judged(without(outage, "logs", "traces", "metrics", "coverage"))
    assert (verdict, found["symptom"].outcome) == (Verdict.EFFECTIVE, Outcome.NOT_ASKED), said
    assert "there was nothing to compare" in found["symptom"].message


def test_a_fault_that_nobody_felt_and_nothing_could_show_is_silent():
    view = without(make_case(10, effect=Effect(), noise=QUIET), "logs", "traces")
    verdict, found, said = judged(view)
    assert (verdict, found["impact"].outcome) == (Verdict.SILENT, Outcome.ABSENT), said


@pytest.mark.parametrize("names", [("traces",), ("coverage",), ("logs", "traces"), ("metrics", "traces")])
def test_a_control_is_normal_all_the_same(names):
    verdict, _, said = judged(without(make_case(10, noise=QUIET), *names))
    assert verdict is Verdict.NORMAL, said


def test_an_outage_is_no_symptom_of_a_target_whose_spans_did_not_change(outage):
    """With spans of the target there is no excuse: users were hit by something else."""
    view = make_case(10, effect=OUTAGE, noise=QUIET)
    scenario = dataclasses.replace(view.scenario, target="graph")
    verdict, found, said = judged(dataclasses.replace(view, scenario=scenario))
    assert (verdict, found["symptom"].outcome) == (Verdict.CONTAMINATED, Outcome.ABSENT), said


def test_a_fault_on_the_way_shows_in_the_spans_of_callers_alone(outage):
    """The target's own spans begin behind it: without any span of a call to it, it can't be asked."""
    view = make_case(10, effect=OUTAGE, noise=QUIET)
    scenario = dataclasses.replace(view.scenario, target="graph")
    spans = view.frames["traces"]
    uncalled = {**view.frames, "traces": spans[spans["span_kind"] != "CLIENT"]}
    verdicts = {}
    for fault in (NetworkBandwidth(), KillService()):
        aimed = dataclasses.replace(scenario, fault=fault)
        verdict, found, _ = judged(dataclasses.replace(view, scenario=aimed, frames=uncalled))
        verdicts[fault.name] = verdict, found["symptom"].outcome
    assert verdicts["network_bandwidth"] == (Verdict.EFFECTIVE, Outcome.NOT_ASKED)
    assert verdicts["kill_service"] == (Verdict.CONTAMINATED, Outcome.ABSENT)


def test_a_modality_that_is_missing_without_a_word_breaks_the_case(outage):
    frames = {name: rows for name, rows in outage.frames.items() if name != "traces"}
    verdict, found, _ = judged(dataclasses.replace(outage, frames=frames))
    assert verdict is Verdict.BROKEN
    assert "the modality traces is missing" in found["complete"].message


def test_answers_are_never_absent(outage):
    """Our own workload records them: a case without is broken, and what takes them is not asked."""
    verdict, found, said = judged(without(outage, "api_responses"))
    assert verdict is Verdict.BROKEN, said
    assert "the modality api_responses is missing" in found["complete"].message
    assert {found[name].outcome for name in ("steady", "impact", "healed")} == {Outcome.NOT_ASKED}
    assert found["impact"].message == f"it takes what this case lacks: api_responses ({WHY})"


def test_a_fault_that_no_probe_could_see_is_never_effective(outage):
    """Users were hit, and nothing proves by what."""
    journal = outage.journal
    played = tuple(activity for activity in journal.played if activity.name != "seen")
    planned = tuple(activity.name for activity in played)
    verdict, found, said = judged(
        dataclasses.replace(outage, journal=dataclasses.replace(journal, played=played, planned=planned))
    )
    assert found["mechanism"].outcome is Outcome.NOT_ASKED
    assert verdict is Verdict.INEFFECTIVE, said
    assert "> mechanism: not_asked: dummy in text was injected, but the experiment has no probe" in said


def test_services_that_nobody_told_to_send_are_not_asked_for_spans(outage):
    """Only one service sends spans: joins, windows and the target's part are judged by that."""
    traces, logs = outage.frames["traces"], outage.frames["logs"]
    few = {
        "traces": traces[traces["service_name"] == "graph"].assign(peer=""),
        "logs": logs[(logs["service_name"] == "graph") & (logs["phase"] != "recovery")],
    }
    view = dataclasses.replace(outage, frames={**outage.frames, **few})
    assert judged(view)[0] is Verdict.BROKEN
    view = dataclasses.replace(view, may_be_silent=frozenset({"traces", "logs"}))
    verdict, found, said = judged(view)
    assert (verdict, found["symptom"].outcome) == (Verdict.EFFECTIVE, Outcome.NOT_ASKED), said
    assert "no answer is asked for a trace" in found["complete"].message


def test_a_service_that_sends_spans_must_send_them_all(outage):
    """Half the entry's traces are lost."""
    traces = outage.frames["traces"]
    half = traces[traces["trace_id"].map(lambda trace: int(trace, 16) % 2 == 0)]
    view = dataclasses.replace(outage, frames={**outage.frames, "traces": half}, may_be_silent=frozenset({"traces"}))
    verdict, found, _ = judged(view)
    assert verdict is Verdict.BROKEN
    assert "answers have a trace" in found["complete"].message


def shifted(view, service, by_ns):
    """The case with the clock of one service wrong."""
    traces = view.frames["traces"].copy()
    traces.loc[traces["service_name"] == service, "time_unix_nano"] += by_ns
    return dataclasses.replace(view, frames={**view.frames, "traces": traces})


def test_spans_of_a_clock_that_is_wrong_are_counted(outage):
    """Against the calls that they answer, of services and of users; on one host they break a case."""
    requests = outage.frames["api_responses"]
    roots = outage.frames["traces"][outage.frames["traces"]["service_name"] == "gateway"]
    roots = roots[roots["span_kind"] == "SERVER"].set_index("trace_id")["span_id"]
    sent = requests["trace_id"].map(lambda trace: f"a{roots[trace][1:]}")
    traces = outage.frames["traces"].copy()
    entry = (traces["service_name"] == "gateway") & (traces["span_kind"] == "SERVER")
    traces.loc[entry, "parent_span_id"] = traces.loc[entry, "trace_id"].map(
        dict(zip(requests["trace_id"], sent, strict=True))
    )
    view = dataclasses.replace(
        outage, frames={**outage.frames, "traces": traces, "api_responses": requests.assign(span_id=sent)}
    )
    right = check_aligned(view).evidence
    assert (right["spans_outside_our_request"], right["spans_outside_their_call"]) == (0, 0)
    early = check_aligned(shifted(view, "home", -4 * SKEW_NS))
    home = (traces["service_name"] == "home") & (traces["span_kind"] == "SERVER")
    assert early.evidence["spans_outside_their_call"] >= home.sum() > 100  # and those that home calls
    assert "spans begin over 5 ms before" in early.message
    others = dataclasses.replace(shifted(view, "home", -4 * SKEW_NS), may_be_silent=frozenset({"traces"}))
    assert "spans begin" not in check_aligned(others).message
    gateway = check_aligned(shifted(view, "gateway", -4 * SKEW_NS)).evidence
    assert gateway["spans_outside_our_request"] == entry.sum()


@pytest.mark.parametrize(("lost", "outcome"), [(2, Outcome.PROVEN), (20, Outcome.ABSENT)])
def test_of_what_others_send_more_may_be_unreadable(outage, lost, outcome):
    """In hundredths of what came; of our own it is a thousandth."""
    dropped = {**outage.dropped, "logs": len(outage.frames["logs"]) * lost // 100}
    view = dataclasses.replace(outage, dropped=dropped)
    assert judged(view)[1]["complete"].outcome is Outcome.ABSENT
    others = dataclasses.replace(view, may_be_silent=frozenset({"logs"}))
    assert judged(others)[1]["complete"].outcome is outcome
