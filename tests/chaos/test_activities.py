"""The activities alone, on a clock that moves only when someone waits: streaks, breaks, held ratio, refusals."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.chaos import activities, looks, runs
from pytest_anomod.chaos.runs import Run
from pytest_anomod.model.errors import DeploymentError, InjectionError, NotPlayedError
from pytest_anomod.model.fault import Observation
from pytest_anomod.testing import FakeClock, FakeInjector

FAULT = {"name": "fake_fault", "parameters": {"lie": "", "text": ""}}
STREAK = {"streak_s": 1.2, "looks": 3, "every_s": 0.3}


@pytest.fixture
def now(monkeypatch):
    return FakeClock().install(monkeypatch.setattr)


@pytest.fixture
def run(player):
    run = Run(records="r", workload_module="pytest_anomod.testing", handle={"records": "r"}, start_ns=1)
    runs.reset()
    runs.keep(run)
    yield run
    runs.drop("r")


@pytest.fixture
def aim(player, run):
    return {"ref": player.deployment.ref, "injector": "fake", "fault": FAULT, "target": "app", "records": "r"}


@pytest.fixture
def see(monkeypatch):
    """Have the probe answer by a script, then by its last word for ever; an exception in it is raised."""

    def script(*answers):
        left = list(answers)

        def active(self, fault, deployment, target):
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return Observation(active=answer, evidence={"left": len(left)})

        monkeypatch.setattr(FakeInjector, "active", active)

    return script


def test_seen_needs_a_streak_and_tells_when_it_began(now, aim, see):
    see(False, False, True)
    begin = now.now_ns()
    answer = activities.seen(**aim, **STREAK, timeout_s=8)
    assert answer["first_seen_unix_nano"] == begin + 600_000_000
    assert now.now_ns() - answer["first_seen_unix_nano"] >= 1_200_000_000
    assert answer["looks"] == 7


def test_a_break_begins_the_streak_anew(now, aim, see):
    see(True, True, True, False, True)
    begin = now.now_ns()
    assert activities.seen(**aim, **STREAK, timeout_s=8)["first_seen_unix_nano"] == begin + 1_200_000_000


def test_slow_looks_are_still_three(now, aim, see):
    see(True)
    answer = activities.seen(**aim, **{**STREAK, "every_s": 5.0}, timeout_s=8)
    assert answer["looks"] == 3


def test_a_streak_under_way_at_the_timeout_may_end(now, aim, see):
    see(*[False] * 26, True)  # the first sight at 7.8 s of 8
    assert activities.seen(**aim, **STREAK, timeout_s=8)["looks"] == 31


def test_a_probe_that_raises_is_no_sighting_and_is_told(now, aim, see):
    see(DeploymentError("app can't be reached"))
    with pytest.raises(InjectionError, match=r"not seen on app within 8 s .*DeploymentError: app can't be reached"):
        activities.seen(**aim, **STREAK, timeout_s=8)


def test_gone_needs_absence_and_health(now, aim, see, player):
    see(True, False)
    player.deployment.world.write(unhealthy=["gateway"])
    with pytest.raises(InjectionError, match=r'is not gone within 10 s .*"unhealthy": \["gateway"\]'):
        activities.gone(**aim, **STREAK, timeout_s=10)
    player.deployment.world.write(unhealthy=[])
    see(True, False)
    begin = now.now_ns()
    assert activities.gone(**aim, **STREAK, timeout_s=10)["first_gone_unix_nano"] == begin + 300_000_000


def test_gone_does_not_take_a_failed_probe_for_absence(now, aim, see):
    see(DeploymentError("app can't be reached"))
    with pytest.raises(InjectionError, match="is not gone"):
        activities.gone(**aim, **STREAK, timeout_s=10)


def test_hold_lasts_as_long_as_asked_and_says_how_much_of_it_the_fault_was_in(now, aim, see):
    see(True, False, DeploymentError("away"), True)
    begin = now.monotonic_s()
    answer = activities.hold(anomaly_s=6.0, every_s=0.75, **aim)
    assert now.monotonic_s() - begin == pytest.approx(6.0)
    assert (answer["looks"], answer["missed"], answer["held_ratio"]) == (8, 2, 0.75)
    assert [miss.get("error") for miss in answer["misses"]] == [None, "DeploymentError: away"]


def test_hold_keeps_the_figures_of_a_long_flicker_small(now, aim, see):
    see(False)
    answer = activities.hold(anomaly_s=100.0, every_s=0.5, **aim)
    assert (answer["missed"], len(answer["misses"])) == (200, looks.MOST_MISSES)


def test_without_a_workload_nothing_of_the_method_acts(player, aim):
    runs.drop("r")
    with pytest.raises(InjectionError, match="play the experiment with its steady-state hypothesis"):
        activities.inject(**aim)
    assert player.world["calls"] == []


def test_what_follows_a_failure_refuses_and_rollbacks_do_not(now, aim, see, player):
    see(False)
    with pytest.raises(InjectionError):
        activities.seen(**aim, **STREAK, timeout_s=1)
    with pytest.raises(NotPlayedError, match="seen ended with InjectionError"):
        activities.hold(anomaly_s=1.0, **aim)
    activities.recover(**aim)
    assert player.world["calls"] == ["recover"]
    with pytest.raises(NotPlayedError):
        activities.wait_recovery(records="r", recovery_s=1.0)
    assert activities.end_workload(records="r")["ended"] is True
    assert activities.end_workload(records="r") == {"ended": False}


def test_what_was_prepared_is_taken_back_with_the_fault(aim, player):
    activities.prepare(**aim)
    assert player.world["prepared"] is True
    activities.recover(**aim)
    assert player.world["prepared"] is False


def test_warm_up_starts_one_workload_only(player):
    workload = {"module": "pytest_anomod.testing", "spec": {"rate_rps": 50}}
    arguments = {"ref": player.deployment.ref, "workload": workload, "records": str(player.records), "warmup_s": 0.01}
    first = activities.warm_up(**arguments)
    assert activities.warm_up(**{**arguments, "warmup_s": 60.0}) == first
    assert activities.end_workload(str(player.records))["ended"] is True
    json.dumps(first)
