"""What a scenario becomes: a plain, deterministic, valid experiment, in which only a control looks different."""

from __future__ import annotations

import json

import pytest
from chaoslib import substitute
from chaoslib.experiment import ensure_experiment_is_valid

from pytest_anomod.chaos.compile import compile_experiment, usual
from pytest_anomod.model import journal as names
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import Durations
from pytest_anomod.model.workload import Scripted, Suite
from pytest_anomod.testing import QUICK, FakeFault, FakeLoad, fake_scenario


def _named(activities: list[dict]) -> list[str]:
    return [activity["name"] for activity in activities]


def test_an_anomaly_has_all_activities_in_order(player):
    experiment = player.compile()
    assert _named(experiment["method"]) == [names.PREPARE, names.BASELINE, names.INJECT, names.SEEN, names.HOLD]
    assert _named(experiment["rollbacks"]) == [names.RECOVER, names.GONE, names.RECOVERY, names.END_WORKLOAD]
    assert _named(experiment["steady-state-hypothesis"]["probes"]) == [names.WARM_UP, names.STEADY]
    assert experiment["extensions"][0]["scenario"] == fake_scenario().to_json()


def test_a_control_only_waits(player):
    experiment = player.compile(control=True)
    assert _named(experiment["method"]) == [names.BASELINE, names.HOLD]
    assert _named(experiment["rollbacks"]) == [names.RECOVERY, names.END_WORKLOAD]
    assert "fake_fault" not in json.dumps(experiment["method"])


def test_a_fault_that_prepares_nothing_gets_no_prepare_activity(player, monkeypatch):
    monkeypatch.delattr(FakeFault, "prepare")
    assert names.PREPARE not in _named(player.compile()["method"])


def test_it_is_plain_json_deterministic_and_valid(player):
    experiment = player.compile()
    assert json.loads(json.dumps(experiment)) == experiment == player.compile()
    ensure_experiment_is_valid(experiment)


def test_only_python_providers_and_no_secrets(player):
    experiment = player.compile()
    activities = experiment["method"] + experiment["rollbacks"] + experiment["steady-state-hypothesis"]["probes"]
    assert {activity["provider"]["type"] for activity in activities} == {"python"}
    assert "secrets" not in experiment


def test_the_workload_gets_the_rate_of_the_system_unless_the_scenario_has_its_own(player):
    def rate(**scenario):
        probe = player.compile(**scenario)["steady-state-hypothesis"]["probes"][0]
        return probe["provider"]["arguments"]["workload"]["spec"]["rate_rps"]

    assert rate() == 300.0
    assert rate(workload=FakeLoad(rate_rps=12)) == 12
    assert rate(workload=Suite(path="/somewhere/suite.py")) == 60


def test_a_warm_system_gets_a_part_of_the_warm_up():
    scenario = fake_scenario(
        system="social_network", durations=Durations(warmup_s=3, baseline_s=9, anomaly_s=9, recovery_s=5)
    )

    def arguments(is_warm):
        tempo = usual(1.0, is_warm=is_warm)
        experiment = compile_experiment(scenario, {}, injector="fake", records="", tempo=tempo)
        warm_up, steady = experiment["steady-state-hypothesis"]["probes"]
        return warm_up["provider"]["arguments"]["warmup_s"], steady["provider"]["arguments"]["window_s"]

    (whole_s, window_s), (part_s, same_s) = arguments(False), arguments(True)
    assert (whole_s, part_s) == (3, pytest.approx(1))
    assert window_s == same_s


def test_a_suite_hears_what_its_reference_round_is_for():
    def spec(**changes):
        changes = {"workload": Suite(path="/somewhere/suite.py"), **changes}
        scenario = fake_scenario(system="social_network", **changes)
        experiment = compile_experiment(scenario, {}, injector="fake", records="", tempo=QUICK)
        arguments = experiment["steady-state-hypothesis"]["probes"][0]["provider"]["arguments"]
        return arguments["workload"]["spec"]

    windows = {"warmup_s": 1, "recovery_s": 1, "baseline_s": 9, "anomaly_s": 7}
    wish = spec(target="media-service", durations=Durations(**windows))["reference"]
    assert wish == {"target": "media-service", "instead": [], "window_s": 7}
    # a store need not be in any trace
    assert spec(target="media-mongodb")["reference"]["instead"] == ["media-frontend"]
    # an open loop has no rounds
    har = Scripted(kind="har", path="/somewhere/a.har")
    assert spec(workload=har, target="media-service")["reference"]["window_s"] is None


@pytest.mark.parametrize("text", ["$HOME", "${name}", "$$", "5 $", "${anomod_dollar}"])
def test_dollars_come_back_as_they_were(player, text):
    experiment = player.compile(fault=FakeFault(text=text), name=f"costs {text}")
    inject = next(activity for activity in experiment["method"] if activity["name"] == names.INJECT)
    known = {**experiment["configuration"], "HOME": "trapped", "name": "trapped"}
    assert substitute(inject["provider"]["arguments"], known, {})["fault"]["parameters"]["text"] == text
    assert substitute(experiment["title"], known, {}) == f"costs {text}"


def test_without_dollars_there_is_no_configuration(player):
    assert "configuration" not in player.compile()


@pytest.mark.parametrize("value", [{1, 2}, float("nan")])
def test_what_is_no_json_is_refused(player, value):
    with pytest.raises(ScenarioError, match=r"'fake_scenario' can't be compiled, something in it is no JSON"):
        player.compile(fault=FakeFault(text=value))


def test_the_ref_given_is_not_changed(player):
    ref = {"runtime": "fake", "directory": "/x/$y", "deep": {"list": ["$z"]}}
    compile_experiment(fake_scenario(), ref, injector="fake", records="r")
    assert ref == {"runtime": "fake", "directory": "/x/$y", "deep": {"list": ["$z"]}}
