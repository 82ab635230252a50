"""A method without knowledge: the baseline that every method must exceed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_anomod.dataset.evidence import Evidence


class Random:
    """Gives all services the same score, which is exactly chance; detects at random. Reads nothing."""

    name = "random"
    modalities: tuple[str, ...] = ()

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The same score for each service."""
        return dict.fromkeys(evidence.services, 0.0)

    def score(self, evidence: Evidence) -> Sequence[float]:
        """A random score for each bin."""
        return list(np.random.default_rng(evidence.seed).random(len(evidence.bins)))


OFFERS = (Random(),)
