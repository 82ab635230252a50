"""Fusion without learning: every modality ranks by its own rules, and services are ordered by their mean rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.method import Ranking
from pytest_anomod.evaluation.methods._experts import ranking_of, ranks_of
from pytest_anomod.evaluation.methods._lines import masked
from pytest_anomod.evaluation.methods.call_gap import CallGap
from pytest_anomod.evaluation.methods.coverage_difference import CoverageDifference
from pytest_anomod.evaluation.methods.deepest_error import DeepestError
from pytest_anomod.evaluation.methods.log_novelty import LogNovelty
from pytest_anomod.evaluation.methods.robust_shift import RobustShift
from pytest_anomod.evaluation.methods.self_time import SelfTime
from pytest_anomod.evaluation.methods.user_edge import UserEdge

EXPERTS: Mapping[str, Sequence[Any]] = {
    "logs": (LogNovelty("log_novelty", masked),),
    "metrics": (RobustShift(),),
    "traces": (DeepestError(), SelfTime(), CallGap()),
    "api_responses": (UserEdge(),),
    "coverage": (CoverageDifference(),),
}


class MeanRank:
    """Mean over the granted modalities of the mean rank that the experts of each give a service."""

    name = "mean_rank"
    modalities = tuple(EXPERTS)

    def rank(self, evidence: Evidence) -> Ranking:
        """Minus the mean rank by service; functions by the coverage, else by the logs."""
        ranks: list[Any] = []
        code: Mapping[tuple[str, str], float] = {}
        for modality in self.modalities:
            if modality in evidence.granted:
                ranks.append(np.mean([ranks_of(evidence, modality, expert) for expert in EXPERTS[modality]], axis=0))
                code = ranking_of(evidence, modality, EXPERTS[modality][0]).code or code
        means = -np.mean(ranks, axis=0)
        return Ranking(services=dict(zip(evidence.services, means.tolist(), strict=True)), code=code)


OFFERS = (MeanRank(),)
