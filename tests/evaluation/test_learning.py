"""Methods that learn: no case is judged by a model that has seen it, damage teaches nothing, mistakes are told."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CULPRIT, slow_bins

from pytest_anomod import load_dataset
from pytest_anomod.evaluation import results as figures
from pytest_anomod.evaluation.run import evaluate
from pytest_anomod.evaluation.trials import Options


class Marked:
    """Its features are a mark of the case and the truth itself; its model, the marks that it was fitted to."""

    name = "marked"
    modalities = ("traces",)

    def __init__(self, task="rank", columns=2):
        self.task, self.columns, self.fitted, self.judged = task, columns, [], []

    def features(self, evidence):
        if self.task == "rank":
            truth = np.array([name == CULPRIT for name in evidence.services], dtype=float)
        else:
            truth = np.array(slow_bins(evidence), dtype=float)
        return np.column_stack([np.full(len(truth), evidence.seed % 2**20), truth])[:, : self.columns]

    def fit(self, features, truths, seed):
        assert 0 < truths.sum() < len(truths)
        self.fitted.append(set(features[:, 0]))
        return self.fitted[-1]

    def predict(self, model, features):
        assert not set(features[:, 0]) & model, "judged by a model that has seen it"
        self.judged.append(features[0, 0])
        return features[:, 1]


def test_a_case_is_judged_by_a_model_of_other_faults(small_dataset):
    """Four faults, each its own fold: four models of three."""
    method = Marked()
    rows = evaluate(small_dataset, {"marked": method}).rows
    assert [row["AC@1"] for row in rows] == [1.0] * 4
    assert [len(marks) for marks in method.fitted] == [3] * 4
    assert len(set(method.judged)) == 4
    assert "features" not in rows[0]


def test_severities_of_one_fault_are_judged_by_a_model_of_none_of_them(severities_dataset):
    """Two faults at one target, with two severities each: two models, each of the two cases of the other fault."""
    method = Marked()
    rows = evaluate(severities_dataset, {"marked": method}).rows
    marks = [method.judged[place : place + 2] for place in (0, 2)]
    assert [row["severity"] for row in rows] == ["1", "3"] * 2
    assert sorted(map(sorted, method.fitted)) == sorted(map(sorted, marks))


def test_a_detector_learns_from_controls_too(small_dataset):
    """Six cases in five folds; the bins that are not scored teach nothing, but get a score."""
    method = Marked("score")
    results = evaluate(small_dataset, {"marked": method})
    assert figures.detection_figures(figures.detections(results.rows), seed=1).ap.value == 1.0
    assert all(len(row["scores"]) == len(row["labels"]) for row in results.rows)
    assert len(method.fitted) == 5


def test_damaged_evidence_is_judged_by_a_model_of_sound_evidence(small_dataset):
    """One model a fold, for sound rows and those of six damages."""
    method = Marked()
    rows = evaluate(small_dataset, {"marked": method}, Options(robustness=True)).rows
    assert len(rows) == 4 * 7
    assert len(method.fitted) == 4


def test_one_fault_is_nothing_to_learn_from(small_dataset):
    """Said in one line."""
    data = load_dataset(small_dataset, scenarios="slow_1")
    results = evaluate(data, {"marked": Marked()})
    assert results.left_out == {
        "marked": "method 'marked': learns from other faults or targets than it is tried on, and here is only one"
    }


def test_features_of_a_wrong_shape_are_told(small_dataset):
    """With the case."""
    method = Marked()
    method.features = lambda evidence: np.zeros(3)
    left_out = evaluate(small_dataset, {"marked": method}).left_out["marked"]
    assert "gave features of shape (3,) for 24 services" in left_out


def _raising(*_):
    raise ValueError("Input X contains\ninfinity")


def _columns(evidence):
    return np.zeros((len(evidence.services), 1 + evidence.seed % 7))


WRONG = {
    "features raise": ({"features": _raising}, "raised ValueError: Input X contains infinity"),
    "features are words": ({"features": lambda evidence: [["bad"]]}, "raised ValueError: could not convert"),
    "columns differ": ({"features": _columns}, "columns of features; every case must have the same"),
    "fit raises": ({"fit": _raising}, "raised ValueError: Input X contains infinity"),
    "predict raises": ({"predict": _raising}, "raised ValueError: Input X contains infinity"),
    "NaN": ({"predict": lambda model, features: features[:, 1] * np.nan}, "predicts nan in case 20261122T"),
    "a table": ({"predict": lambda model, features: features}, "predicts scores of shape (24, 2) for the 24 rows"),
    "nothing": ({"predict": lambda model, features: None}, "predicts scores of shape ()"),
    "no task": ({"task": "guess"}, "learns the task 'guess'; its attribute `task` must be rank or score"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_method_that_learns_wrongly_is_left_out_and_the_others_go_on(small_dataset, what):
    """In one line, whatever it raises and wherever."""
    changes, message = WRONG[what]
    bad = Marked()
    vars(bad).update(changes)
    results = evaluate(small_dataset, {"marked": bad, "good": Marked()})
    assert message in results.left_out["marked"]
    assert "\n" not in results.left_out["marked"]
    assert [(row["method"], row["AC@1"]) for row in results.rows] == [("good", 1.0)] * 4


@pytest.mark.parametrize("name", ["learnt_ranks", "learnt_detector"])
def test_those_on_offer_learn_and_give_the_same_for_the_same_seed(small_dataset, name):
    """With every set of the modalities that are granted."""
    pytest.importorskip("sklearn")
    first, again = (
        evaluate(small_dataset, [name], Options(modalities=("traces", "logs"), subsets=True)) for _ in range(2)
    )
    assert not first.left_out
    assert len({row["modalities"] for row in first.rows}) == 3
    for one, other in zip(first.rows, again.rows, strict=True):
        assert (one["MRR"], one["scores"]) == (other["MRR"], other["scores"])
    if name == "learnt_detector":
        assert figures.detection_figures(figures.detections(first.rows), seed=1).ap.value > 0.8
