"""Detects by failed and slow answers at the gateway alone; names services whose names occur in bad routes."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._binned import features_of, unusual

_GENERIC = {"service", "api", "ts", "v1", "wrk2"}


class UserEdge:
    """What an operator sees without telemetry of the services."""

    name = "user_edge"
    modalities = ("api_responses",)
    trivial = True

    def rank(self, evidence: Evidence) -> dict[str, float]:
        """How much worse the worst route is whose path has the words of the service's name."""
        worse = _by_route(evidence)
        found = {}
        for service in evidence.services:
            words = [word for word in re.split(r"[^a-z0-9]+", service.lower()) if word and word not in _GENERIC]
            shares = [
                value * sum(word in route.lower() for word in words) / len(words)
                for route, value in worse.items()
                if words
            ]
            found[service] = max(shares, default=0.0)
        return found

    def score(self, evidence: Evidence) -> np.ndarray:
        """How unusual a bin's requests, failures and mean latency are."""
        return unusual(evidence, features_of(evidence, "api_responses"))


def _by_route(evidence: Evidence) -> dict[str, float]:
    """By route: the rise of the share of failed answers, and of the logarithm of the median latency."""
    frame = evidence.api_responses
    table = pd.DataFrame(
        {
            "route": frame["route"].astype(str),
            "late": frame["time_unix_nano"] >= evidence.normal_until_ns,
            "failed": evidence.failed(),
            "length": np.log(np.maximum(frame["duration_ns"].to_numpy(dtype=float), 1.0)),
        }
    )
    medians = table.groupby(["route", "late"])["length"].median().unstack().reindex(columns=[False, True])
    shares = table.groupby(["route", "late"])["failed"].mean().unstack().reindex(columns=[False, True])
    rise = (shares[True] - shares[False]).fillna(0.0) * 10 + (medians[True] - medians[False]).fillna(0.0)
    return {str(route): float(max(value, 0.0)) for route, value in rise.items()}


OFFERS = (UserEdge(),)
