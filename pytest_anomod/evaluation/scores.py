"""Scores of rankings: place of the truth with ties, AC@k, Avg@5, MRR, and intervals by resampling."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

RANKING = ("AC@1", "AC@3", "AC@5", "Avg@5", "MRR")
"""Scores of a ranking, each from 0 to 1."""

LEVELS = {"code": "function", "instance": "instance", "edge": "edge"}
"""Finer levels than the service, by the word before their scores."""
PATH = ("path precision", "path recall")
ALL = (*RANKING, *(f"{level} {name}" for level in LEVELS for name in RANKING), *PATH)

ALIKE = 1e-9
"""Scores that differ by a smaller share are equal: sums of the same numbers differ by their order."""
RESAMPLES = 1000
COVERED = 0.95


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a truth stands: how many candidates are ahead of it, and how many, itself included, have its score."""

    ahead: int
    tied: int

    def within(self, k: int) -> float:
        """The chance that it is among the first k, when equals are put in an order by lot."""
        return float(np.clip((k - self.ahead) / self.tied, 0.0, 1.0))

    def reciprocal(self, truths: int = 1) -> float:
        """The expected value of 1 / rank, of the first of `truths` among those with the same score.

        Of the comb(tied, truths) equally likely sets of places, comb(tied - k, truths - 1) begin with the kth.
        """
        truths = min(truths, self.tied)
        first = [math.comb(self.tied - k, truths - 1) / (self.ahead + k) for k in range(1, self.tied + 1)]
        return sum(first) / math.comb(self.tied, truths)


NOWHERE = Place(10**9, 1)
"""The place of what was not found."""


def place(scores: Mapping[Any, float], truth: Any, candidates: Collection[Any]) -> Place:
    """The place of the truth among candidates, the highest score first; those without a score share the last places.

    A truth that is no candidate (a function that a method did not name, say) was not found: it is NOWHERE.
    """
    values = np.array([scores[name] for name in candidates if name in scores], dtype=float)
    if truth not in candidates:
        return NOWHERE
    if truth not in scores:
        return Place(len(values), len(candidates) - len(values))
    equal = np.isclose(values, scores[truth], rtol=ALIKE, atol=0.0)
    return Place(int(((values > scores[truth]) & ~equal).sum()), int(equal.sum()))


def ranking_scores(scores: Mapping[Any, float], truths: Sequence[Any], candidates: Collection[Any]) -> dict[str, float]:
    """RANKING of one case. With several truths AC@k is the share of them among the first k, of min(k, truths) at most
    (as in RCAEval), and MRR that of the first."""
    places = [place(scores, truth, candidates) for truth in truths]
    best = min(places, key=lambda one: one.ahead)
    accuracy = {k: min(1.0, sum(one.within(k) for one in places) / min(k, len(places))) for k in range(1, 6)}
    return {
        **{f"AC@{k}": accuracy[k] for k in (1, 3, 5)},
        "Avg@5": float(np.mean(list(accuracy.values()))),
        "MRR": best.reciprocal(places.count(best)),
    }


def path_scores(steps: Collection[Any], proven: Collection[Any], unknown: Collection[Any]) -> dict[str, float | None]:
    """PATH of one case: which share of a method's steps is proven, and which share of the proven ones it has.

    Steps that the label can't decide count for nothing; with none but these there is no precision, without any step
    it is 0.
    """
    named = set(steps) - (set(unknown) - set(proven))
    hits = len(named & set(proven))
    nothing = None if steps else 0.0
    return dict(zip(PATH, (hits / len(named) if named else nothing, hits / len(proven)), strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """A mean over cases, the interval that holds 95 % of its resampled values, and the number of cases."""

    value: float
    low: float
    high: float
    cases: int

    def __str__(self) -> str:
        return "-" if not self.cases else f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def mean_figure(values: Sequence[float], groups: Sequence[Hashable], seed: int) -> Figure:
    """The mean of values with its interval; whole groups (see results.unit) are drawn, for they are alike.

    Repetitions and severities of a fault at a target are no independent cases: drawing single cases would make the
    interval too narrow.
    """
    numbers = np.asarray(values, dtype=float)
    if not len(numbers):
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    codes = _codes(groups)
    count = int(codes.max()) + 1
    sums, sizes = np.bincount(codes, weights=numbers, minlength=count), np.bincount(codes, minlength=count)
    drawn = np.random.default_rng(seed).integers(0, count, size=(RESAMPLES, count))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - COVERED) / 2, (1 + COVERED) / 2])
    return Figure(float(numbers.mean()), float(low), float(high), len(numbers))


def _codes(groups: Sequence[Hashable]) -> np.ndarray:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
