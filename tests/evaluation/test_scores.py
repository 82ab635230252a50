"""Scores against values worked out by hand, and against scikit-learn where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_anomod.evaluation import detection, scores
from pytest_anomod.evaluation.scores import Place, place, ranking_scores

SERVICES = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("given", "truth", "expected"),
    [
        ({"a": 3, "b": 2, "c": 1}, "a", Place(0, 1)),
        ({"a": 3, "b": 2, "c": 1}, "c", Place(2, 1)),
        ({"a": 3, "b": 3, "c": 1}, "b", Place(0, 2)),
        ({"a": 3}, "d", Place(1, 4)),  # b, c, d and e share the last places
        ({}, "a", Place(0, 5)),
        (dict.fromkeys(SERVICES, 0.0), "e", Place(0, 5)),
        ({"a": 1}, "nowhere", scores.NOWHERE),
    ],
)
def test_a_truth_stands_behind_what_scored_higher_and_among_its_equals(given, truth, expected):
    """Ties are shared, never decided by the order in which names were given."""
    assert place(given, truth, SERVICES) == expected


def test_ties_are_shared_in_expectation():
    """Three equals behind one: the truth is second, third or fourth, each with a chance of a third."""
    tied = Place(1, 3)
    assert [tied.within(k) for k in (1, 2, 3, 4, 5)] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert tied.reciprocal() == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert place({}, "a", SERVICES).within(1) == pytest.approx(0.2)  # knowing nothing is chance


def test_scores_of_one_ranking():
    """The truth is third of five."""
    found = ranking_scores({"a": 5, "b": 4, "c": 3, "d": 2, "e": 1}, ["c"], SERVICES)
    assert found == pytest.approx({"AC@1": 0, "AC@3": 1, "AC@5": 1, "Avg@5": 3 / 5, "MRR": 1 / 3})


def test_two_root_causes():
    """Truths are first and fourth: one of one at 1, one of two at 3, two of two at 5; MRR of the better one."""
    found = ranking_scores({"a": 5, "b": 4, "c": 3, "d": 2, "e": 1}, ["a", "d"], SERVICES)
    assert found == pytest.approx({"AC@1": 1, "AC@3": 0.5, "AC@5": 1, "Avg@5": (1 + 0.5 + 0.5 + 1 + 1) / 5, "MRR": 1})


def test_of_equal_root_causes_the_first_counts():
    """Two that share the first two places are first and second; of three places the better one is second in a third."""
    assert ranking_scores({"a": 2, "b": 2, "c": 1}, ["a", "b"], SERVICES)["MRR"] == pytest.approx(1.0)
    assert ranking_scores({"a": 2, "b": 2, "c": 2}, ["a", "b"], SERVICES)["MRR"] == pytest.approx(2 / 3 + 1 / 3 / 2)
    assert ranking_scores({"f": 1.0}, ["g", "h"], {"f": 1.0})["MRR"] == pytest.approx(0.0, abs=1e-6)


def test_a_truth_that_was_never_named_scores_nothing():
    """A function that a method does not name is not found."""
    for named in ({"f": 1.0}, {}):
        assert ranking_scores(named, ["g"], named) == pytest.approx(dict.fromkeys(scores.RANKING, 0.0), abs=1e-6)


def test_steps_that_nobody_can_judge_count_for_nothing():
    """Two of four steps are proven, one is unknown: precision is two of three, recall two of four."""
    proven = {("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")}
    steps = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "x")]
    found = scores.path_scores(steps, proven, {("a", "x"), ("a", "b")})
    assert found == pytest.approx({"path precision": 2 / 3, "path recall": 0.5})
    assert scores.path_scores([("a", "x")], proven, {("a", "x")}) == {"path precision": None, "path recall": 0.0}
    assert scores.path_scores([], proven, ()) == {"path precision": 0.0, "path recall": 0.0}


def test_intervals_draw_whole_scenarios():
    """Ten repetitions of two scenarios say as little as two cases; they are the same for the same seed."""
    values = [1.0] * 10 + [0.0] * 10
    alike = scores.mean_figure(values, ["x"] * 10 + ["y"] * 10, seed=3)
    single = scores.mean_figure(values, range(20), seed=3)
    assert (alike.value, alike.low, alike.high, alike.cases) == (0.5, 0.0, 1.0, 20)
    assert 0.2 < single.low < 0.5 < single.high < 0.8
    assert scores.mean_figure(values, range(20), seed=3) == single
    assert str(scores.mean_figure([], [], seed=1)) == "-"


LABELS = np.array([0, 0, 1, 1, 0, 1])
SCORES = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.4])


def test_average_precision_by_hand():
    """Thresholds .8: 1 of 1; .4: 2 of 4; .35: 3 of 5."""
    assert detection.average_precision(LABELS, SCORES) == pytest.approx((1 * 1 + 1 * 2 / 4 + 1 * 3 / 5) / 3)
    assert math.isnan(detection.average_precision(np.zeros(3), np.arange(3.0)))


def test_roc_auc_by_hand():
    """Of nine pairs: .8 beats three, .4 beats one and ties two, .35 beats one."""
    assert detection.roc_auc(LABELS, SCORES) == pytest.approx((3 + 1 + 2 / 2 + 1) / 9)
    assert math.isnan(detection.roc_auc(np.ones(3), np.arange(3.0)))


def test_the_best_threshold_and_its_f1():
    """From .35 on: 3 of 5 flags are right and nothing is missed."""
    assert detection.best_threshold(LABELS, SCORES) == 0.35
    assert detection.f1_at(LABELS, SCORES, 0.35) == pytest.approx(2 * 3 / (5 + 3))
    assert detection.f1_at(LABELS, SCORES, 2.0) == 0.0
    assert detection.best_threshold(np.zeros(2), np.arange(2.0)) == math.inf


def _case(labels, flags, *, control=False):
    return detection.Detected(scores=np.array(flags, float), labels=np.array(labels), bin_s=2.0, is_control=control)


def test_delay_counts_to_the_end_of_the_first_flagged_bin():
    """A flag before the fault is no detection of it."""
    assert detection.delay_s(_case([0, -1, 1, 1, 1], [1, 1, 0, 1, 1]), 1.0) == 4.0
    assert detection.delay_s(_case([0, 1, 1], [1, 0, 0]), 1.0) == math.inf


def test_false_alarms_count_when_a_flag_goes_up():
    """Bins in a row are one alarm; bins that are not scored are no time."""
    raised, hours = detection.false_alarms(_case([-1, 0, 0, 0, 0], [1, 0, 1, 1, 0], control=True), 1.0)
    assert (raised, hours) == (1, pytest.approx(4 * 2 / 3600))


def test_scikit_learn_agrees():
    """On random scores with many ties."""
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(5)
    for _ in range(20):
        labels, values = rng.integers(0, 2, 40), rng.integers(0, 8, 40) / 4
        labels[:2] = 0, 1
        assert detection.average_precision(labels, values) == pytest.approx(
            metrics.average_precision_score(labels, values)
        )
        assert detection.roc_auc(labels, values) == pytest.approx(metrics.roc_auc_score(labels, values))
        best = max(metrics.f1_score(labels, values >= threshold) for threshold in values)
        threshold = detection.best_threshold(labels, values)
        assert detection.f1_at(labels, values, threshold) == pytest.approx(best)
