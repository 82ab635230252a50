"""A learnt multimodal detector: a random forest on how unusual each modality is in a bin and in the one before."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._binned import features_of, unusual
from pytest_anomod.evaluation.methods._lines import masked
from pytest_anomod.evaluation.methods.log_novelty import LogNovelty

TREES = 100
LEAF = 5


class LearntDetector:
    """Columns know no service, so that a model of one system's cases can judge another's. Needs scikit-learn."""

    name = "learnt_detector"
    modalities = ("logs", "metrics", "traces", "api_responses")
    task = "score"

    @property
    def is_installed(self) -> bool:
        """Whether scikit-learn is here."""
        return importlib.util.find_spec("sklearn") is not None

    def features(self, evidence: Evidence) -> np.ndarray:
        """One row a bin; a modality that is missing has 0."""
        none = np.zeros(len(evidence.bins))
        columns = [
            unusual(evidence, features_of(evidence, name)) if name in evidence.granted else none
            for name in self.modalities
        ]
        columns.append(LogNovelty("log_novelty", masked).score(evidence) if "logs" in evidence.granted else none)
        now = np.column_stack(columns)
        return np.hstack([now, np.vstack([now[:1], now[:-1]])])

    def fit(self, features: np.ndarray, truths: np.ndarray, seed: int) -> Any:
        """A forest in which both kinds of bins weigh the same."""
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            TREES, min_samples_leaf=LEAF, class_weight="balanced", random_state=seed, n_jobs=1
        )
        return forest.fit(features, truths)

    def predict(self, model: Any, features: np.ndarray) -> np.ndarray:
        """The share of trees that call a bin anomalous."""
        return np.asarray(model.predict_proba(features)[:, 1])


OFFERS = (LearntDetector(),)
