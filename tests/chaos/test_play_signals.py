"""Signals while an experiment is played, on the real Chaos Toolkit: undoing is never interrupted or left out."""

from __future__ import annotations

import signal
import time

import pytest
from acting import ACTS, ActingFault

from pytest_anomod.chaos.signals import Terminated
from pytest_anomod.chaos.toolkit import play


@pytest.fixture(autouse=True)
def _handlers_are_put_back():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize("during", ["inject", "recover"])
def test_ctrl_c_is_raised_once_the_fault_is_out(player, during):
    with pytest.raises(KeyboardInterrupt) as caught:
        player.play(fault=ActingFault(act="SIGINT", during=during))
    assert not isinstance(caught.value, Terminated)
    player.assert_clean()


@pytest.mark.parametrize("during", ["inject", "recover"])
def test_sigterm_is_raised_once_the_fault_is_out(player, during):
    with pytest.raises(Terminated):
        player.play(fault=ActingFault(act="SIGTERM", during=during))
    player.assert_clean()


def test_a_signal_in_a_rollback_drops_none_of_the_others(player):
    with pytest.raises(KeyboardInterrupt):
        player.play(fault=ActingFault(act="SIGINT", during="recover"))
    assert player.world["calls"].count("recover") == 1  # it went through: nobody had to do it again
    assert player.edges[-1] == "end"


def test_a_second_signal_does_not_stop_the_undoing(player):
    def on_edge(edge):
        if edge in ("anomaly", "release"):
            ACTS["SIGINT"]()

    with pytest.raises(KeyboardInterrupt):
        play(player.compile(), on_edge=on_edge)
    player.assert_clean()


def test_after_an_interrupt_nobody_waits_for_the_recovery(player):
    experiment = player.compile(fault=ActingFault(act="SIGTERM"))
    recovery = next(activity for activity in experiment["rollbacks"] if activity["name"] == "recovery")
    recovery["provider"]["arguments"]["recovery_s"] = 20
    begin = time.monotonic()
    with pytest.raises(Terminated):
        play(experiment, on_edge=player.edges.append)
    assert time.monotonic() - begin < 10
    player.assert_clean()


def test_a_signal_cuts_the_recovery_window_short(player):
    experiment = player.compile()
    recovery = next(activity for activity in experiment["rollbacks"] if activity["name"] == "recovery")
    recovery["provider"]["arguments"]["recovery_s"] = 20
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        play(experiment, on_edge=lambda edge: ACTS["SIGINT"]() if edge == "recovery" else None)
    assert time.monotonic() - begin < 10
    player.assert_clean()


def test_sigterm_is_not_hidden_by_an_outcome_of_pytest(player):
    def on_edge(edge):
        if edge == "release":
            ACTS["SIGTERM"]()

    with pytest.raises(Terminated):
        play(player.compile(fault=ActingFault(act="pytest.fail", during="recover")), on_edge=on_edge)
    player.assert_clean()


def test_sigusr2_goes_to_whoever_wanted_it_and_not_to_the_toolkit(player):
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))
    try:
        journal = player.play(fault=ActingFault(act="SIGUSR2"))
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert heard == [signal.SIGUSR2]
    assert journal.status == "completed"
    player.assert_clean()


def test_an_ignored_sigint_stays_ignored(player):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        player.play(fault=ActingFault(act="SIGINT"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert player.edges[-1] == "end"
