"""Declaring several faults, and a history: what a scenario becomes, and what is refused at collection."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_anomod import scenario
from pytest_anomod.declare import ATTRIBUTE, anomalies
from pytest_anomod.faults import CpuContention, HttpAbort, HttpDelay, KillService, NoFault, PauseService
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import PROFILES, Scenario

SYSTEM = "social_network"
HISTORY = dataclasses.replace(PROFILES["quick"], history_s=30)


def declared(**words):
    return scenario(system=SYSTEM, **words)


def made(declaration, durations=PROFILES["quick"]):
    return declaration.scenario("two", durations=durations, rate_rps=None, seed=1)


def test_each_fault_has_its_target_and_severity():
    one = made(declared(fault=[KillService(), HttpDelay()], target=["media-service", "text-service"], severity=[5, 2]))
    assert [(each.fault.name, each.target, each.severity) for each in one.injections] == [
        ("kill_service", "media-service", 5),
        ("http_delay", "text-service", 2),
    ]
    assert one.further[0].fault.delay_ms == 250
    assert one.what == "kill_service in media-service and http_delay in text-service"
    assert one.level == "service"
    assert Scenario.from_json(one.to_json()) == one
    assert one.alone(2).fault == one.further[0].fault
    assert one.alone(2).level == "performance"
    assert not one.alone(1).further


def test_one_target_and_one_severity_are_for_all():
    one = made(declared(fault=[CpuContention(), HttpDelay()], target="text-service", severity=3))
    assert one.targets == ("text-service",)
    assert [each.severity for each in one.injections] == [3, 3]


def test_names_tell_at_once_from_in_turn():
    def test(case):
        pass

    faults = {"fault": [KillService(), HttpDelay()], "target": "text-service"}
    named = getattr(anomalies([declared(**faults), declared(**faults, in_turn=True)])(test), ATTRIBUTE)
    assert [one.name for one in named] == [
        "kill_service-text-service-and-http_delay-text-service",
        "kill_service-text-service-then-http_delay-text-service",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            {"fault": [HttpDelay(), HttpAbort()], "target": "text-service"},
            "take hold of the same thing of 'text-service'",
        ),
        ({"fault": [KillService(), PauseService()], "target": "text-service"}, "processes"),
        ({"fault": [CpuContention(), CpuContention()], "target": "text-service"}, "cpu_contention"),
        ({"fault": [HttpDelay(), KillService()], "target": ["text-service"]}, "fault= has 2 and target= 1"),
        ({"fault": [HttpDelay(), KillService()], "target": "text-service", "severity": [1, 2, 3]}, "severity= 3"),
        ({"fault": [HttpDelay(), KillService()], "target": ["text-service", "nowhere"]}, "nowhere"),
        ({"fault": [HttpDelay(), NoFault()], "target": "text-service"}, "breaks nothing"),
        ({"fault": [], "target": "text-service"}, "fault= has 0"),
        ({"fault": HttpDelay(), "target": "text-service", "in_turn": True}, "in_turn=True is for several faults"),
    ],
)
def test_what_can_not_be_is_refused(words, said):
    with pytest.raises(ScenarioError, match=said):
        declared(**words)


def test_in_turn_two_may_take_hold_of_the_same():
    assert declared(fault=[HttpDelay(), HttpAbort()], target="text-service", in_turn=True).in_turn


def test_a_history_of_the_command_line_goes_before_a_tests_own_durations_too():
    own = PROFILES["standard"]
    one = declared(fault=HttpDelay(), target="text-service", durations=own)
    assert made(one, HISTORY).durations == dataclasses.replace(own, history_s=30)
    longer = dataclasses.replace(own, history_s=60)
    assert made(dataclasses.replace(one, durations=longer), HISTORY).durations.history_s == 60


def test_a_history_below_nothing_is_a_usage_error(pytester):
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest("--anomod-history=-1", "-p", "no:xdist")
    result.stderr.fnmatch_lines(["*--anomod-history=-1.0: history_s=-1.0 must be at least 0 and at most 7200 s*"])
