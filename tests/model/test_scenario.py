"""Scenarios, their windows, systems and fault values: bounds are checked when they are declared."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from pathlib import Path

import pytest

from pytest_anomod import anomaly
from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.faults import PauseService
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import CodeLocation, Fault, FaultDefaults, Observation, parameters
from pytest_anomod.model.scenario import PROFILES, Durations, Scenario
from pytest_anomod.model.workload import OpenLoop, Response, Suite
from pytest_anomod.testing import FAKE_SYSTEM, FakeFault, FakeLoad, fake_scenario


@pytest.mark.parametrize("length", [0, -1, 7_201, float("nan"), "10", None])
def test_a_window_that_can_not_be_is_refused(length):
    with pytest.raises(ScenarioError, match=r"baseline_s=.* must be above 0 and at most 7200 s"):
        Durations(warmup_s=1, baseline_s=length, anomaly_s=1, recovery_s=1)


def test_windows_scale_together():
    assert PROFILES["quick"].scaled(0.5) == Durations(warmup_s=1.5, baseline_s=5, anomaly_s=5, recovery_s=2.5)


def test_a_scenario_is_json():
    scenario = fake_scenario(fault=FakeFault(text="x"), workload=FakeLoad(rate_rps=5, mix={"read": 1.0}))
    told = json.loads(json.dumps(scenario.to_json()))
    assert told["fault"] == {"name": "fake_fault", "parameters": {"lie": "", "text": "x"}}
    assert told["workload"] == {"rate_rps": 5, "mix": {"read": 1.0}, "timeout_s": 5.0}
    assert (told["level"], told["severity"]) == ("service", None)
    assert fake_scenario(severity=3).to_json()["severity"] == 3


def test_only_the_level_makes_a_control():
    assert fake_scenario(control=True).is_control
    assert not fake_scenario().is_control


@pytest.mark.parametrize("wrong", [{"rate_rps": 0}, {"rate_rps": 2_001}, {"timeout_s": 0}, {"timeout_s": 61}])
def test_a_workload_out_of_bounds_is_refused(wrong):
    with pytest.raises(ScenarioError, match=f"{next(iter(wrong))}="):
        OpenLoop(**wrong)


@pytest.mark.parametrize(("status", "ok"), [(200, True), (302, True), (399, True), (0, False), (400, False)])
def test_an_answer_below_400_is_ok(status, ok):
    assert Response(status=status, body=b"").ok is ok


def test_a_system_knows_its_services_and_who_calls_them():
    assert FAKE_SYSTEM.callers("app") == ("gateway",)
    with pytest.raises(ScenarioError, match="no service 'ap'; did you mean app"):
        FAKE_SYSTEM.service("ap")


def test_the_defaults_of_a_fault_do_nothing():
    fault = FaultDefaults()
    assert fault.prepare(None, "app") is None
    assert fault.locate(None, "app") is None
    assert not fault.host_wide
    with pytest.raises(ScenarioError):
        fault.check(FAKE_SYSTEM, "nowhere")


def test_fault_values():
    assert parameters(FakeFault(text="x")) == {"lie": "", "text": "x"}
    assert isinstance(FakeFault(), Fault)
    assert not Observation(active=False)
    assert Observation(active=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        CodeLocation(file="a.py", function="f", first_line=1, last_line=2).file = "b.py"


def test_a_fault_with_the_name_of_another_is_refused():
    """The experiment would put the other one in, and its proof would be taken for this one's."""

    class Nothing(PauseService):
        def inject(self, deployment, target):
            return {}

    with pytest.raises(ScenarioError, match=r"Nothing'> has the name of another, 'pause_service' of .*PauseService"):
        anomaly(system="social_network", fault=Nothing(), target="user-service")


EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def _declared():
    """Every scenario of the experiments, as a run of them makes it."""
    for path in sorted(EXPERIMENTS.rglob("test_*.py")):
        module = importlib.import_module(".".join(path.relative_to(EXPERIMENTS.parent).with_suffix("").parts))
        for name, item in vars(module).items():
            declared = getattr(item, ATTRIBUTE, ())
            for one in declared if isinstance(declared, tuple) else (declared,):
                yield one.scenario(one.name or name, durations=PROFILES["quick"], rate_rps=None, seed=1)


def test_every_scenario_of_the_experiments_comes_back_from_json():
    scenarios = list(_declared())
    assert len(scenarios) > 25
    for scenario in scenarios:
        told = json.loads(json.dumps(scenario.to_json()))
        assert Scenario.from_json(told) == scenario, scenario.name


def test_a_suite_comes_back_as_a_suite():
    scenario = next(iter(_declared()))
    suite = dataclasses.replace(scenario, workload=Suite(path="/srv/suite.py", bases={"": "http://localhost:8080"}))
    assert Scenario.from_json(json.loads(json.dumps(suite.to_json()))) == suite


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fault": {"name": "code_delay", "parameters": {"speed": 3}}}, "'code_delay' can't be made with"),
        ({"fault": {"name": "code_dely", "parameters": {}}}, "no fault named 'code_dely'; did you mean code_delay"),
        ({"level": "hardware"}, "'hardware' is not a valid Level"),
        ({"durations": {"warmup_s": 3}}, "baseline_s"),
        ({"workload": {"speed": 3}}, "speed"),
        ({"seed": ...}, "missing 1 required keyword-only argument: 'seed'"),
    ],
)
def test_a_scenario_of_another_version_is_refused(change, said):
    told = next(iter(_declared())).to_json() | change
    told = {key: value for key, value in told.items() if value is not ...}
    with pytest.raises(ScenarioError, match=re.escape(said)):
        Scenario.from_json(told)
