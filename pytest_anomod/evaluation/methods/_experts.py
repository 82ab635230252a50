"""Ranks of all services by one rule; computed once a case for all methods that fuse rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.method import Ranking


def ranking_of(evidence: Evidence, modality: str, rule: Any) -> Ranking:
    """The ranking of a rule that reads this modality alone."""

    def make() -> Ranking:
        answer = rule.rank(evidence)
        return answer if isinstance(answer, Ranking) else Ranking(services=answer)

    return evidence.kept(modality, f"ranking {rule.name}", make)


def ranks_of(evidence: Evidence, modality: str, rule: Any) -> np.ndarray:
    """The rank of each service, from 1; equals share the mean of theirs, those that are not named the last ones."""
    given = ranking_of(evidence, modality, rule).services
    scores = np.array([given.get(name, -np.inf) for name in evidence.services])
    _, place, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])
