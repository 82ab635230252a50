"""Names the service whose state changed: down, restarted, or a constant metric (a limit, a pool) that moved."""

from __future__ import annotations

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._series import series_of

UP, RESTARTS = "up", "service_restarts_total"


class StateChange:
    """2 for a service that was down or begun anew, plus the share of its steady metrics that moved."""

    name = "state_change"
    modalities = ("metrics",)
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """The score by service."""
        series = series_of(evidence)
        before, after = series.values[~series.after], series.values[series.after]
        if not len(before) or not len(after):
            return {}
        steady = (before == before[0]).all(axis=0)
        moved = steady & (after != before[0]).any(axis=0)
        names, metrics = np.array(series.services), np.array(series.metrics)
        found = {}
        for name in evidence.services:
            mine = names == name
            state = mine & np.isin(metrics, (UP, RESTARTS)) & moved
            found[name] = 2.0 * bool(state.any()) + float(moved[mine].sum() / max(steady[mine].sum(), 1))
        return found


OFFERS = (StateChange(),)
