"""Cases with two faults: each is proven by itself, and the label, its tables and its readers have both."""

from __future__ import annotations

import dataclasses

import pytest
from small_system import Dummy, Effect
from synthetic import make_case

from pytest_anomod.checks import judge, run_checks, spread_of
from pytest_anomod.dataset import label_rows, label_tables
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import BusyMachineError
from pytest_anomod.model.labelling import Provenance, make_label
from pytest_anomod.model.scenario import Injection
from pytest_anomod.model.timeline import derive
from pytest_anomod.model.verdict import Outcome, Verdict


def compound(second: str, *, held: float = 1.0):
    """A case with a strong effect at `text`, whose second fault is in `second`."""
    view = make_case(effect=Effect(gone=True), target="text")
    scenario = dataclasses.replace(view.scenario, further=(Injection(fault=Dummy(), target=second),))
    played = []
    for one in view.journal.played:
        output = {**one.output, "others": [{"held_ratio": held}]} if one.name == names.HOLD else one.output
        played.append(dataclasses.replace(one, output=output))
        if one.name in (names.INJECT, names.SEEN, names.RECOVER, names.GONE):
            # right after the first's, and of no length
            start_ns = one.end_ns - 1
            played.append(dataclasses.replace(played[-1], name=names.numbered(one.name, 2), start_ns=start_ns))
    journal = dataclasses.replace(
        view.journal, played=tuple(played), planned=tuple(one.name for one in played), deviated=True
    )
    return dataclasses.replace(view, scenario=scenario, journal=journal)


def test_both_faults_are_proven_by_themselves():
    view = compound("text")
    findings = run_checks(view)
    about = {(found.question, found.fault): found.outcome for found in findings}
    assert about["mechanism", 1] == about["mechanism", 2] == about["symptom", 2] == Outcome.PROVEN
    assert about["impact", 0] == Outcome.PROVEN
    assert judge(view, findings) is Verdict.EFFECTIVE


def test_one_that_shows_nothing_is_not_hidden_by_the_other():
    view = compound("graph")
    findings = run_checks(view)
    about = {(found.question, found.fault): found.outcome for found in findings}
    assert (about["symptom", 1], about["symptom", 2]) == (Outcome.PROVEN, Outcome.ABSENT)
    assert judge(view, findings) is Verdict.TOLERATED


def test_one_that_was_not_held_makes_the_case_ineffective():
    view = compound("text", held=0.3)
    assert judge(view, run_checks(view)) is Verdict.INEFFECTIVE


@pytest.mark.parametrize("too_busy", [True, False])
def test_one_that_was_not_put_in_on_a_busy_machine_is_not_ineffective(too_busy):
    """The first was not seen gone in time, so the second's turn did not come."""
    view = compound("text")
    error = f"{BusyMachineError.__module__}.BusyMachineError: the machine was too busy" if too_busy else "it stays"
    seconds = {"inject-2", "seen-2", "recover-2", "gone-2"}
    played = [one for one in view.journal.played if one.name not in seconds | {names.RECOVERY}]
    played[-1] = dataclasses.replace(played[-1], succeeded=False, error=error)
    journal = dataclasses.replace(view.journal, played=tuple(played), refused=(*seconds, names.RECOVERY))
    view = dataclasses.replace(view, journal=journal, problems=(f"gone failed: {error}",))
    assert judge(view, run_checks(view)) is (Verdict.CONTAMINATED if too_busy else Verdict.BROKEN)


@pytest.fixture(scope="module")
def labelled():
    view = compound("graph")
    findings = run_checks(view)
    spread = spread_of(view, findings)
    return (
        view,
        spread,
        make_label(view, Verdict.TOLERATED, findings, None, Provenance(runtime="x", injector="y"), spread),
    )


def test_the_label_has_both_root_causes(labelled):
    view, _, label = labelled
    assert label.root_cause_services == ("text", "graph")
    assert [cause.root_cause_service for cause in label.causes] == ["text", "graph"]
    assert [cause.fault for cause in label.causes] == ["dummy", "dummy"]
    assert label.causes[1].seen_unix_nano == view.journal.activity("seen-2").end_ns
    assert label.in_turn is False


def test_its_rows_come_back_as_they_were(labelled):
    _, spread, label = labelled
    (row,) = label_rows.label_table(label).to_pylist()
    assert label_rows.row_label(row) == label
    table = label_tables.propagation_table("case-1", spread)
    assert set(table["fault"].to_pylist()) == {1, 2}
    assert [row["service"] for row in table.to_pylist() if row["hop"] == 0] == ["text", "graph"]


def test_the_timeline_of_faults_at_once_is_that_of_one(labelled):
    view, _, _ = labelled
    assert [one.phase for one in derive(view.journal, view.timeline.start_ns).windows] == [
        one.phase for one in view.timeline.windows
    ]
