"""Labels of judged cases: where the root cause lies, what the case is good for, how the fault spread."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from small_system import QUIET, Effect
from synthetic import make_case

from pytest_anomod.checks import judge, run_checks, spread_of, steady_again
from pytest_anomod.declare import case_seed
from pytest_anomod.faults import CodeException, HttpAbort, StopService
from pytest_anomod.model.fault import Level
from pytest_anomod.model.label import Label
from pytest_anomod.model.labelling import Provenance, make_label
from pytest_anomod.model.verdict import Verdict

MADE = Provenance(runtime="process", injector="native")
PLACE = {"file": "text_service.py", "function": "TextHandler.compose", "first_line": 3, "last_line": 9}
THROWS = CodeException(function="m:f", exception="E", message="m", probe="GET /")


def label_of(view, **scenario: Any) -> Label:
    view = dataclasses.replace(view, scenario=dataclasses.replace(view.scenario, **scenario))
    findings = run_checks(view)
    return make_label(
        view, judge(view, findings), findings, steady_again(view), MADE, spread_of(view, findings)
    )  # fmt: skip


def located(view, place: Mapping[str, Any]):
    """The case with a journal in which the injection says which function it is in."""
    played = tuple(
        dataclasses.replace(one, output={"location": place}) if one.name == "inject" else one
        for one in view.journal.played
    )
    return dataclasses.replace(view, journal=dataclasses.replace(view.journal, played=played))


@pytest.fixture(scope="module")
def failing():
    return make_case(4, effect=Effect(errors=1.0), target="text", noise=QUIET)


def test_a_stopped_service_is_a_cause_in_a_service_whatever_the_paper_calls_it(failing):
    """AnoMod files `docker stop` under code: that is the level; no function is at fault."""
    label = label_of(failing, fault=StopService(), level=Level.CODE)
    assert (label.level, label.root_cause_kind, label.root_cause_code_function) == ("code", "service", None)


def test_a_cause_in_code_has_its_place(failing):
    label = label_of(located(failing, PLACE), fault=THROWS, level=Level.CODE)
    assert (label.root_cause_kind, label.root_cause_code_function) == ("code", PLACE["function"])


def test_a_cause_on_calls_names_them(failing):
    label = label_of(failing, fault=HttpAbort(path="/"))
    assert (label.root_cause_kind, label.fault_edges) == ("edge", ("compose->text",))


def test_a_label_says_how_the_fault_spread_and_what_the_case_is_good_for(failing):
    label = label_of(failing, severity=4)
    assert label.propagation_path == ("text", "compose", "gateway", "@users")
    assert label.propagation_edges == ("text->compose", "compose->gateway", "gateway->@users")
    assert (label.reaches_user, label.affected_services) == ("yes", ("text", "compose", "gateway"))
    assert (label.severity, label.usable, label.unusable_because) == (4, True, ())
    assert label.split in ("train", "calibration", "test")


def test_a_control_has_no_cause_and_no_path():
    label = label_of(make_case(3))
    assert (label.root_cause_kind, label.reaches_user) == (None, None)
    assert (label.propagation_path, label.affected_services, label.fault_edges) == ((), (), ())


def test_a_label_that_could_not_be_worked_out_is_missing_and_the_case_is_none_the_worse(failing):
    """A column that nobody has: the steps can't be found, everything else is labelled."""
    odd = failing.frames["traces"].drop(columns="duration_ns")
    view = dataclasses.replace(failing, frames={**failing.frames, "traces": odd})
    assert spread_of(view, ()) is None
    assert "the propagation could not be worked out: KeyError" in view.kept["label problems"][0]
    label = make_label(view, judge(view, ()), (), None, MADE, None)
    assert (label.propagation_path, label.usable, label.root_cause_service) == (None, False, "text")


def split_at(view, seed: int, **scenario: Any) -> str | None:
    """The split of the case as if it were one of another scenario, played with that seed."""
    view = dataclasses.replace(view, scenario=dataclasses.replace(view.scenario, seed=seed, **scenario))
    return make_label(view, Verdict.TOLERATED, (), None, MADE).split


def test_cases_of_one_fault_at_one_target_share_a_split(failing):
    """Whatever their severity, and in each repetition: else a method is tested on what it was trained on."""
    for target in ("text", "compose", "gateway", "media"):
        names = [(severity, f"http_abort-{target}-s{severity}") for severity in (1, 3, 5)]
        found = {
            split_at(failing, case_seed(run, name), target=target, name=name, severity=severity)
            for severity, name in names
            for run in (1, 2, 1_000_004)
        }
        assert len(found) == 1, target


def test_controls_are_spread_over_the_splits():
    """By name and repetition: they have no fault in common that a method could learn."""
    control = make_case(3)
    seeds = [case_seed(run, f"normal-{number}") for run in (1, 1_000_004) for number in range(1, 11)]
    assert {split_at(control, seed) for seed in seeds} == {"train", "calibration", "test"}
