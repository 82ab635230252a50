"""The native injector: the way back is on record before the way in, and closed only once the fault is gone."""

from __future__ import annotations

import pytest

from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent, Programs
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.testing import FakeDeployment, FakeFault, Lie, fake_deployment

INJECTOR = NativeInjector()


@pytest.fixture
def deployment(tmp_path) -> FakeDeployment:
    """A deployment without processes."""
    return fake_deployment(tmp_path / "world")


def open_entries(deployment: FakeDeployment) -> list[dict]:
    return [entry for entry in deployment.world.read()["undo"].values() if entry is not None]


def test_the_undo_entry_holds_all_that_a_stranger_needs(deployment):
    """Fault by name and parameters, target, and the ref of the deployment."""
    INJECTOR.inject(FakeFault(text="x"), deployment, "app")
    (entry,) = open_entries(deployment)
    assert entry == {
        "op": "fault",
        "fault": {"name": "fake_fault", "parameters": {"lie": "", "text": "x"}},
        "target": "app",
        "ref": dict(deployment.ref),
    }


@pytest.mark.parametrize(("lie", "step"), [(Lie.INJECT_FAILS, "inject"), (Lie.PREPARE_FAILS, "prepare")])
def test_the_entry_is_written_before_anything_is_changed(deployment, lie, step):
    """An injection that breaks off half way is undone by whoever finds the entry."""
    with pytest.raises(InjectionError, match="told to fail"):
        getattr(INJECTOR, step)(FakeFault(lie=lie), deployment, "app")
    assert len(open_entries(deployment)) == 1


def test_preparing_and_injecting_is_one_entry(deployment):
    """One way back for both, closed once."""
    fault = FakeFault()
    INJECTOR.prepare(fault, deployment, "app")
    INJECTOR.inject(fault, deployment, "app")
    assert len(open_entries(deployment)) == 1
    INJECTOR.recover(fault, deployment, "app")
    assert open_entries(deployment) == []


def test_recovery_in_another_process_closes_the_entry(deployment):
    """The id of the entry is with the deployment and not in the injector."""
    fault = FakeFault()
    INJECTOR.inject(fault, deployment, "app")
    stranger = FakeDeployment(deployment.ref)
    NativeInjector().recover(fault, stranger, "app")
    assert open_entries(deployment) == []
    assert not INJECTOR.active(fault, deployment, "app")


def test_recovering_twice_or_with_nothing_in_is_fine(deployment):
    """Rollback, fixture and guardian may all recover."""
    fault = FakeFault()
    INJECTOR.recover(fault, deployment, "app")
    INJECTOR.inject(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")
    INJECTOR.recover(fault, deployment, "app")
    assert open_entries(deployment) == []


def test_a_fault_that_is_still_seen_keeps_its_entry_open(deployment, monkeypatch):
    """A recover that only says so is an error, and the guardian tries again."""
    monkeypatch.setattr(clock, "monotonic_s", iter(range(1_000)).__next__)
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    fault = FakeFault(lie=Lie.STAYS)
    INJECTOR.inject(fault, deployment, "app")
    with pytest.raises(InjectionError, match="'fake_fault' is still seen on 'app'"):
        INJECTOR.recover(fault, deployment, "app")
    assert len(open_entries(deployment)) == 1


def test_what_the_runtime_can_not_do_is_refused_before_anything_happens(deployment, monkeypatch):
    """The message names the capabilities that are missing."""
    monkeypatch.setattr(FakeFault, "needs", frozenset({Agent, Programs}))
    del deployment.offers[Agent]
    with pytest.raises(InjectionError, match="needs Agent, which 'app' does not have on runtime 'fake' now"):
        INJECTOR.inject(FakeFault(), deployment, "app")
    assert open_entries(deployment) == []
    assert not deployment.world.read()["fault_in"]
