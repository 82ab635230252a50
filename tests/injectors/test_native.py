"""The native injector: the way back is on record before the way in, and closed only once the fault is gone."""

from __future__ import annotations

import pytest

from pytest_anomod.faults import HttpAbort, MemoryPressure
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.capability import Agent, Programs
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.testing import FakeDeployment, FakeFault, Lie, check_injector, fake_deployment, offered

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


class Forgetful(NativeInjector):
    """Writes nothing down."""

    def write_down(self, fault, deployment, target):
        """Nothing."""


class Careless(NativeInjector):
    """Takes the fault out and leaves its entry open."""

    def recover(self, fault, deployment, target):
        fault.recover(deployment, target)


class Unwilling(NativeInjector):
    """Refuses everything."""

    def refusal(self, fault, target, system, runtime):
        return "not today"


class Eager(NativeInjector):
    """Puts the fault in before the baseline."""

    def prepare(self, fault, deployment, target):
        self.inject(fault, deployment, target)


@pytest.mark.parametrize(
    ("injector", "what"),
    [
        (Forgetful(), "nothing says how to undo it"),
        (Careless(), "undo entries stay open"),
        (Unwilling(), "native refuses fake_fault: 'not today'"),
        (Eager(), "prepare put the fault in"),
    ],
)
def test_conformance_finds_what_an_injector_does_wrong(deployment, injector, what):
    """And leaves no fault in."""
    with offered(), pytest.raises(AssertionError, match=what):
        check_injector(injector, FakeFault(), deployment, "app")
    assert not FakeFault().active(deployment, "app")


def test_this_one_conforms(deployment):
    """As the real thing does over the fakes."""
    with offered():
        check_injector(INJECTOR, FakeFault(), deployment, "app")
    assert open_entries(deployment) == []


def test_what_a_target_will_lack_is_said_before_anything_is_up():
    """Whether another target would do, or another runtime."""
    process, shop = catalog.find("runtimes", "process"), catalog.find("systems", "social_network")
    refused = INJECTOR.refusal(HttpAbort(), "user-mongodb", shop, process)
    assert refused == (
        "fault 'http_abort' needs Listener, which 'user-mongodb' on runtime 'process' does not have; "
        "aim at another service"
    )
    nobody = INJECTOR.refusal(MemoryPressure(), "user-service", shop, process)
    assert "needs ControlGroup, which runtime 'process' does not have; choose another with --anomod-runtime" in nobody
    assert INJECTOR.refusal(HttpAbort(), "user-service", shop, process) == ""
