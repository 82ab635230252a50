"""Fusion by learnt weights: a logistic regression on what each rule says of a service."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._experts import ranks_of
from pytest_anomod.evaluation.methods.baro import Baro
from pytest_anomod.evaluation.methods.mean_rank import EXPERTS
from pytest_anomod.evaluation.methods.microrank import MicroRank
from pytest_anomod.evaluation.methods.ochiai import Ochiai
from pytest_anomod.evaluation.methods.state_change import StateChange

RULES: Mapping[str, Sequence[Any]] = {
    **EXPERTS,
    "metrics": (*EXPERTS["metrics"], StateChange(), Baro()),
    "traces": (*EXPERTS["traces"], Ochiai(), MicroRank()),
}


class LearntRanks:
    """Of each rule two columns: the share of services that it ranks behind a service, and 1 if that is first alone.

    A modality that is missing has 0.5 and 0 for all. Needs scikit-learn.
    """

    name = "learnt_ranks"
    modalities = tuple(RULES)
    task = "rank"

    @property
    def is_installed(self) -> bool:
        """Whether scikit-learn is here."""
        return importlib.util.find_spec("sklearn") is not None

    def features(self, evidence: Evidence) -> np.ndarray:
        """One row a service."""
        count = len(evidence.services)
        columns: list[np.ndarray] = []
        for modality, rules in RULES.items():
            for rule in rules:
                if modality not in evidence.granted:
                    columns += [np.full(count, 0.5), np.zeros(count)]
                    continue
                ranks = ranks_of(evidence, modality, rule)
                columns += [(count - ranks) / max(count - 1, 1), (ranks == 1).astype(float)]
        return np.column_stack(columns)

    def fit(self, features: np.ndarray, truths: np.ndarray, seed: int) -> Any:
        """A logistic regression in which a root cause weighs as much as all that are none."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(class_weight="balanced", max_iter=1000, random_state=seed).fit(features, truths)

    def predict(self, model: Any, features: np.ndarray) -> np.ndarray:
        """The regression's decision value."""
        return np.asarray(model.decision_function(features))


OFFERS = (LearntRanks(),)
