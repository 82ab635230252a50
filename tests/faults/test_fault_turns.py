"""Faults that come and go: they are looked for until a turn is over, and only while there is a relay to take turns."""

from __future__ import annotations

import pytest

from pytest_anomod import faults
from pytest_anomod.injectors.chaos_mesh import manifest
from pytest_anomod.model.capability import Programs
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Observation
from pytest_anomod.model.runtime import need
from pytest_anomod.testing import FakeClock, fake_deployment

NOW_AND_THEN = faults.HttpDelay(on_s=1, off_s=4)


@pytest.fixture
def deployment(tmp_path):
    return fake_deployment(tmp_path / "world")


@pytest.fixture
def looks(monkeypatch):
    """What looks see, one after the other; none is left unseen at the end. The clock moves when one sleeps."""
    FakeClock().install(monkeypatch.setattr)
    seen: list[bool] = []
    taken = []

    def look(self, deployment, target):
        taken.append(seen.pop(0) if seen else False)
        return Observation(active=taken[-1])

    monkeypatch.setattr(faults.HttpDelay, "look", look)
    return seen, taken


def run_relay(deployment):
    need(deployment, Programs, "app").run(["relay"], name="relay", deadline_s=60)


def test_it_is_looked_for_until_it_is_on_again(deployment, looks):
    """Off at four looks, on at the fifth."""
    run_relay(deployment)
    looks[0][:] = [False, False, False, False, True]
    assert NOW_AND_THEN.active(deployment, "app")
    assert len(looks[1]) == 5


def test_after_a_turn_without_it_it_is_not_there(deployment, looks):
    """A look every third of the time that it is on, for a turn and as long as it is on."""
    run_relay(deployment)
    assert not NOW_AND_THEN.active(deployment, "app")
    assert 15 <= len(looks[1]) <= 21


def test_without_a_relay_there_is_no_turn_to_wait_for(deployment, looks):
    """Before it is put in and after it was taken out one look is enough."""
    assert not NOW_AND_THEN.active(deployment, "app")
    assert len(looks[1]) == 1


def test_a_fault_that_stays_is_looked_for_once(deployment, looks):
    """As ever."""
    run_relay(deployment)
    assert not faults.HttpDelay().active(deployment, "app")
    assert len(looks[1]) == 1


@pytest.mark.parametrize(
    ("kind", "parameters", "what"),
    [
        (faults.HttpAbort, {"off_s": -1}, "off_s=-1 of HttpAbort must be a number from 0 to 10 s"),
        (faults.NetworkDelay, {"off_s": 11}, "off_s=11"),
        (faults.NetworkBandwidth, {"on_s": 0.1, "off_s": 1}, "on_s=0.1"),
        (faults.NetworkLoss, {"means": "kernel", "off_s": 4}, "off_s=4 of NetworkLoss must be 0 with means='kernel'"),
    ],
)
def test_turns_that_can_not_be_are_refused(kind, parameters, what):
    with pytest.raises(ScenarioError, match=what):
        kind(**parameters)


@pytest.mark.parametrize("header", ["X-Group", "X-Group:beta", "X Group: beta", "X: a\r\nY: b", ": beta", None])
def test_a_header_that_is_none_is_refused(header):
    with pytest.raises(ScenarioError, match=r"header=.* of HttpAbort must look like X-Group: beta"):
        faults.HttpAbort(header=header)


def test_chaos_mesh_has_no_such_resource():
    """Its Schedule is another one."""
    assert manifest(faults.NetworkDelay(), "app") is not None
    assert manifest(faults.NetworkDelay(off_s=4), "app") is None
    assert manifest(faults.HttpAbort(percent=100, off_s=4), "app") is None
