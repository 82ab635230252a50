"""Playing an experiment on a busy machine: the journal says that the machine was the reason, and nothing is left in."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_anomod.chaos import waiting
from pytest_anomod.chaos.compile import compile_experiment
from pytest_anomod.chaos.toolkit import play
from pytest_anomod.host.pressure import Pressure
from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import read_journal
from pytest_anomod.testing import QUICK, FakeFault, FakeLoad, Lie, fake_scenario

BUSY, CALM = Pressure(5.0, 2.0, 0.95, 0.0, 0.0), Pressure(5.0, 0.5, 0.2, 0.0, 0.0)


@pytest.fixture
def busy_machine():
    """The real rule, not the one for tests of other things."""


@pytest.fixture
def play_busy(player, monkeypatch, busy_machine):
    """Plays a scenario on a machine that is busy from that call to the fault on ("": from the start)."""

    def run(since, **scenario):
        def pressure_since(start_ns):
            return BUSY if not since or since in player.world["calls"] else CALM

        monkeypatch.setattr(waiting, "pressure_since", pressure_since)
        document = compile_experiment(
            fake_scenario(**scenario), player.deployment.ref, injector="fake", records=str(player.records),
            tempo=dataclasses.replace(QUICK, patience_s=0.3),
        )  # fmt: skip
        return read_journal(play(document, on_edge=player.edges.append))

    return run


def test_a_gate_that_fails_on_a_busy_machine_is_put_down_to_it(player, play_busy):
    journal = play_busy("", workload=FakeLoad(rate_rps=1.0))
    assert journal.too_busy.startswith("the machine was too busy in 0 of ")
    assert "95% of the time with a task waiting for one" in journal.too_busy
    assert "users were not served as they should be after the warm-up: 0 responses" in journal.too_busy
    assert journal.activity(names.INJECT) is None
    player.assert_clean()


def test_a_target_that_can_not_be_prepared_on_a_busy_machine_is_put_down_to_it(player, play_busy):
    journal = play_busy("prepare", fault=FakeFault(lie=Lie.PREPARE_FAILS))
    assert journal.too_busy.endswith("preparing app for fake_fault failed: told to fail to prepare app")
    assert journal.activity(names.INJECT) is None


@pytest.mark.parametrize("since", ["recover", "nothing"])
@pytest.mark.parametrize("lie", [Lie.RECOVER_FAILS, Lie.RECOVER_FAILS_ONCE])
def test_a_fault_that_can_not_be_taken_out_is_put_down_to_a_busy_machine_only(play_busy, since, lie):
    journal = play_busy(since, fault=FakeFault(lie=lie))
    first = next(one for one in journal.played if one.name == names.RECOVER)
    assert not first.succeeded
    assert journal.activity(names.RECOVER).succeeded is (lie == Lie.RECOVER_FAILS_ONCE)
    assert ("taking fake_fault out of app failed: told to fail" in journal.too_busy) is (since == "recover")


@pytest.mark.parametrize("since", ["recover", "nothing"])
def test_a_fault_that_stays_is_put_down_to_a_busy_machine_only(play_busy, since):
    journal = play_busy(since, fault=FakeFault(lie=Lie.STAYS))
    gone = journal.activity(names.GONE)
    assert not gone.succeeded
    assert gone.too_busy == journal.too_busy
    assert ("fake_fault on app is not gone within" in gone.too_busy) is (since == "recover")


def test_a_fault_that_is_never_seen_is_not(play_busy):
    journal = play_busy("inject", fault=FakeFault(lie=Lie.NOT_PUT_IN))
    assert not journal.activity(names.SEEN).succeeded
    assert "fake_fault was not seen on app" in journal.activity(names.SEEN).error
    assert journal.too_busy == ""
