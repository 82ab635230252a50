"""The statistics of the proof: known answers, and that bursts and chance don't pass for effects."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from pytest_anomod.checks.shifts import Bar, Series, Stretch
from pytest_anomod.checks.statistics import ALPHA, block_counts, cliffs_delta, compare, holm, rank_test

RNG = np.random.default_rng(7)


def stretch(values, length_s=10.0):
    """Values evenly spread over a window."""
    values = np.asarray(values, dtype=float)
    return Stretch(times_s=np.linspace(0, length_s, len(values), endpoint=False), values=values, length_s=length_s)


def level(before, after, **bar):
    return Series(
        subject="s", figure="f", kind="level", before=stretch(before), after=stretch(after), bar=Bar(**bar), unit="ms"
    )


def share(before, after, floor=0.05, **more):
    return Series(
        subject="s",
        figure="f",
        kind="share",
        before=stretch(before),
        after=stretch(after),
        bar=Bar(floor=floor),
        **more,
    )


def only(series, **arguments):
    (shift,) = compare([series], **arguments)
    return shift


def test_holm_is_the_published_procedure():
    """Worked example: 0.01 x 4, then 0.013 x 3, 0.04 x 2, 0.05 x 1, never below the one before."""
    assert holm([0.04, 0.01, 0.05, 0.013]) == pytest.approx([0.08, 0.04, 0.08, 0.04])
    assert holm([]) == []


def test_rank_test_agrees_with_scipy():
    before, after = RNG.normal(0, 1, 60), RNG.normal(0.5, 1, 80)
    p, delta = rank_test(before, after)
    theirs = stats.mannwhitneyu(after, before, method="asymptotic")
    assert p == pytest.approx(theirs.pvalue, rel=1e-6)
    assert delta == pytest.approx(2 * theirs.statistic / (60 * 80) - 1)


def test_rank_test_agrees_with_scipy_under_ties():
    before, after = RNG.integers(0, 5, 40), RNG.integers(1, 6, 50)
    assert rank_test(before, after)[0] == pytest.approx(
        stats.mannwhitneyu(after, before, method="asymptotic").pvalue, rel=1e-6
    )


def test_small_samples_wholly_apart_get_their_exact_p():
    """Ten zeros and ten ones: two of the C(20, 10) splits are this extreme, though all rows are ties."""
    p, delta = rank_test(np.zeros(10), np.ones(10))
    assert delta == 1.0
    assert p == pytest.approx(2 / 184_756)


def test_constant_samples_show_nothing():
    p, delta = rank_test(np.ones(10), np.ones(12))
    assert (p, delta) == (1.0, 0.0)


def test_cliffs_delta_counts_ties_as_half():
    assert cliffs_delta(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == pytest.approx(0.75)


def test_a_doubled_level_moves_and_says_so():
    shift = only(level(RNG.lognormal(2, 0.4, 200), RNG.lognormal(2 + np.log(2), 0.4, 200)))
    assert shift.moved
    assert shift.p_corrected < ALPHA
    assert 1.7 < shift.ratio < 2.4
    assert "p50" in shift.sentence()


def test_a_certain_but_small_rise_is_no_effect():
    """Thousands of rows make any difference significant; ten percent is still no effect."""
    shift = only(level(RNG.lognormal(2, 0.1, 5000), RNG.lognormal(2.1, 0.1, 5000)))
    assert shift.p < 1e-10
    assert not shift.moved
    assert "ratio" in shift.why_not


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_stall_on_either_side_is_no_effect(side):
    """Two seconds of very slow rows shift no median, and their rows are taken out on either side alike."""
    calm, hit = RNG.lognormal(2, 0.4, 100), RNG.lognormal(2, 0.4, 100)
    hit[40:58] *= 100
    shift = only(level(calm, hit) if side == "after" else level(hit, calm))
    assert not shift.moved


def test_a_rise_is_judged_beyond_the_pace_of_the_machine():
    """1.8 times slower while everything else got 1.7 times slower is the machine."""
    series = level(RNG.lognormal(2, 0.3, 200), RNG.lognormal(2, 0.3, 200) * 1.8)
    assert only(series).moved
    assert not only(series, pace=1.7).moved


def test_the_harmless_direction_is_named():
    shift = only(level(RNG.lognormal(3, 0.3, 100), RNG.lognormal(2, 0.3, 100), direction=1))
    assert not shift.moved
    assert shift.why_not == "in the harmless direction"


@pytest.mark.parametrize("kind", ["level", "share"])
def test_rows_that_all_came_at_once_show_nothing(kind):
    """What is left of them without the highest burst is nothing to compare."""
    times, values = np.linspace(3.0, 3.4, 8), np.array([0.0] * 4 + [1.0] * 4)
    before = Stretch(times_s=times, values=values, length_s=10.0)
    after = dataclasses.replace(before, values=values * 9 if kind == "level" else np.ones(8))
    shift = only(Series(subject="s", figure="f", kind=kind, before=before, after=after, bar=Bar(), unit="ms"))
    assert not shift.moved


def test_too_few_rows_say_so():
    assert "only 3 and 100 rows" in only(level(np.ones(3), np.full(100, 9.0))).why_not


def test_failures_all_through_the_window_move_a_share():
    shift = only(share(np.zeros(100), np.arange(100) % 5 == 0))
    assert shift.moved
    assert shift.after == pytest.approx(0.2)


def test_failures_in_one_burst_do_not():
    """Twenty failures within two seconds are one stall, however significant."""
    bad = np.zeros(100)
    bad[30:49] = 1
    shift = only(share(np.zeros(100), bad))
    assert shift.p < 1e-5
    assert not shift.moved
    assert "burst" in shift.why_not


def test_a_rare_route_borrows_the_whole_baseline():
    """Six of six against five of five good ones proves little; against two hundred good ones of all routes it does."""
    alone = share(np.zeros(4), np.ones(6))
    assert not only(alone).moved
    assert only(dataclasses.replace(alone, reference=(0, 200))).moved


def test_a_route_with_failures_of_its_own_borrows_nothing():
    usual = np.array([0, 1, 0, 1, 0, 0])
    assert not only(share(usual, np.array([1, 1, 0, 1, 0, 0]), reference=(2, 200))).moved


def test_a_rate_that_stops_moves():
    counts = block_counts(np.sort(RNG.uniform(0, 10, 40)), 10.0)
    none = block_counts(np.empty(0), 10.0)
    series = Series(subject="s", figure="f", kind="rate", before=counts, after=none, bar=Bar(ratio=2, delta=0.5))
    assert only(series).moved


def test_block_counts_are_per_second_and_keep_every_event_of_whole_blocks():
    counts = block_counts(np.array([0.1, 0.2, 3.5]), 10.0)
    assert counts.values.tolist() == [2, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_many_figures_raise_the_bar_for_each():
    """The same rows pass alone and fail as one of a thousand figures."""
    one = level(np.arange(1.0, 8.0), np.arange(11.0, 18.0))
    noise = [level(RNG.normal(5, 1, 20), RNG.normal(5, 1, 20)) for _ in range(400)]
    assert only(one).moved
    assert not [shift for shift in compare([one, *noise]) if shift.moved]
