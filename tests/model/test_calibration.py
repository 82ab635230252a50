"""The search for the edge: bisection with verdicts that may differ from play to play; severities that begin there."""

from __future__ import annotations

import pytest

from pytest_anomod.faults import (
    CpuContention,
    HttpAbort,
    HttpDelay,
    NetworkDelay,
    RedisMemoryLimit,
    StopService,
    TransactionTimeout,
)
from pytest_anomod.model.calibration import Play, Search, scale_of, severities
from pytest_anomod.model.errors import ScenarioError


def searched(fault, felt, *, plays=12, closeness=1.25, least=0.0):
    """A search in which `felt` gives the verdict of each value; the fault can't have values below `least`."""
    search = Search(scale_of(fault), plays=plays, closeness=closeness)
    for _ in range(100):
        value = search.next()
        if value is None:
            return search
        if value < least:
            search.refuse(value, "too small")
        else:
            said = felt(value)
            search.add(Play(value, said if isinstance(said, str) else "effective" if said else "tolerated"))
    raise AssertionError(search.plays)


@pytest.mark.parametrize("edge", [120, 300, 1800, 4000])
def test_the_edge_lies_in_an_interval_as_close_as_was_asked_for(edge):
    search = searched(HttpDelay(), lambda value: value >= edge)
    tolerated, effective = search.interval
    assert tolerated < edge <= effective <= 1.25 * tolerated
    assert [sum(play.value == end for play in search.plays) for end in (tolerated, effective)] == [2, 2]


def test_a_dial_that_is_turned_down_has_its_edge_too():
    tolerated, effective = searched(CpuContention(), lambda value: value <= 17.5).interval
    assert tolerated > 17.5 >= effective
    assert tolerated <= 1.25 * effective


def test_a_dial_of_whole_numbers_stays_whole():
    assert all(isinstance(play.value, int) for play in searched(HttpAbort(), lambda value: value >= 13).plays)


def test_below_severity_1_it_goes_as_far_as_the_fault_can():
    search = searched(HttpDelay(), lambda value: value >= 70, least=50)
    tolerated, effective = search.interval
    assert 50 <= tolerated < 70 <= effective <= 1.25 * tolerated


def test_whole_numbers_that_are_refused_below_severity_1_end_the_search():
    search = searched(HttpAbort(), lambda _: True, least=scale_of(HttpAbort()).weak)
    assert min(play.value for play in search.plays) == search.scale.weak


def test_an_end_of_the_dial_that_the_fault_can_not_have_is_told():
    fault = NetworkDelay(jitter_ms=50, delay_ms=100)
    search = Search(scale_of(fault), plays=9, closeness=1.25)
    with pytest.raises(ScenarioError, match="jitter_ms") as refused:
        search.scale.fault(fault, search.next())
    with pytest.raises(ScenarioError, match=r"ends at delay_ms=30, which the fault can't have: .*at most delay_ms=30"):
        search.refuse(search.next(), str(refused.value))


def test_a_value_between_that_is_refused_is_gone_around():
    search = Search(scale_of(HttpDelay()), plays=9, closeness=1.25)
    search.add(Play(search.next(), "tolerated"))
    search.add(Play(search.next(), "effective"))
    refused = []
    while (value := search.next()) not in (100, 5000):  # the ends again: there is nothing left between them
        assert value not in refused
        refused.append(value)
        search.refuse(value, "odd")
    assert len(refused) == 3


def test_where_there_is_no_edge_it_says_on_which_side():
    search = searched(HttpDelay(), lambda _: True)
    assert search.interval[0] is None
    assert "already" in search.why_none
    search = searched(HttpDelay(), lambda _: False)
    assert len(search.plays) == 2
    assert "do not reliably feel it at delay_ms=5000" in search.why_none
    assert "no play said" in searched(HttpDelay(), lambda _: "contaminated").why_none


def test_plays_that_contradict_each_other_widen_the_interval():
    search = Search(scale_of(HttpDelay()), plays=9, closeness=1.25)
    for value, verdict in (
        (100, "tolerated"),
        (5000, "effective"),
        (707, "effective"),
        (800, "silent"),
        (900, "effective"),
    ):
        search.add(Play(value, verdict))
    assert search.interval == (100, 900)
    assert 100 < search.next() < 900


def test_a_play_that_says_nothing_is_gone_around():
    search = searched(HttpDelay(), lambda value: "contaminated" if 600 < value < 800 else value >= 1000)
    tolerated, effective = search.interval
    assert 600 < tolerated < 1000 <= effective <= 1.25 * tolerated


def test_what_the_probe_can_not_see_is_no_edge_below():
    search = searched(HttpDelay(), lambda value: "ineffective" if value < 500 else "effective")
    assert search.interval[0] is None
    assert "plays of less said nothing" in search.why_none


def test_severities_begin_at_the_edge():
    found = severities(scale_of(HttpDelay()), 190, 210)
    assert found[1] == pytest.approx(200, rel=0.01)
    ratios = [found[step + 1] / found[step] for step in (1, 2, 3)] + [5000 / found[4]]
    assert ratios == pytest.approx([ratios[0]] * 4, rel=0.01)
    with pytest.raises(ScenarioError, match="too close to severity 5"):
        severities(scale_of(HttpAbort()), 99, 100)


def test_a_dial_must_be_one_number():
    assert scale_of(TransactionTimeout(tables=("orders",))).parameter == "held_percent"
    for fault in (StopService(), RedisMemoryLimit()):
        with pytest.raises(ScenarioError, match="nothing between tolerated and effective"):
            scale_of(fault)
