"""Knows nothing: what no method may fall below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_anomod.dataset.evidence import Evidence


class Random:
    """Suspects all services alike, which scores chance exactly; detects by lot. Reads nothing."""

    name = "random"
    modalities: tuple[str, ...] = ()

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The same score for each service."""
        return dict.fromkeys(evidence.services, 0.0)

    def score(self, evidence: Evidence) -> Sequence[float]:
        """A score for each bin, by lot."""
        return list(np.random.default_rng(evidence.seed).random(len(evidence.bins)))


OFFERS = (Random(),)
