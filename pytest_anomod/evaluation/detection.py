"""Scores of detectors: AP, ROC AUC, F1 at a threshold fixed beforehand, delay, false alarms; ties as scikit-learn."""

from __future__ import annotations

import dataclasses

import numpy as np

DETECTION = ("AP", "ROC AUC", "F1", "delay_s", "false_alarms_per_hour")

ANOMALOUS, NORMAL, UNSCORED = 1, 0, -1
"""Labels of a bin. Unscored: it touches what is neither, or the history that the method was told to be normal."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """One case's bins: score and label of each, their length, and whether nothing was broken in this case."""

    scores: np.ndarray
    labels: np.ndarray
    bin_s: float
    is_control: bool

    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores of the bins that count."""
        counts = self.labels != UNSCORED
        return self.labels[counts], self.scores[counts]


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Sum over thresholds of the rise in recall times precision; NaN without an anomalous bin."""
    hits, flagged = _at_thresholds(labels, scores)
    if not len(hits) or not hits[-1]:
        return float("nan")
    recall = hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * hits / flagged))


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The chance that an anomalous bin has the higher score, equals counting half; NaN unless there are both kinds."""
    anomalous, normal = int((labels == ANOMALOUS).sum()), int((labels == NORMAL).sum())
    if not anomalous or not normal:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = ranks[labels == ANOMALOUS].sum() - anomalous * (anomalous + 1) / 2
    return float(above / (anomalous * normal))


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """The score from which on bins are flagged so that F1 is best; infinity without anomalous bins: nothing is."""
    hits, flagged = _at_thresholds(labels, scores)
    if not len(hits) or not hits[-1]:
        return float("inf")
    f1 = 2 * hits / (flagged + hits[-1])
    return float(np.unique(scores)[::-1][int(np.argmax(f1))])


def f1_at(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """F1 of flagging every bin from the threshold on; NaN when there is nothing to find and nothing is flagged."""
    flags = scores >= threshold
    hits = int((flags & (labels == ANOMALOUS)).sum())
    both = int(flags.sum()) + int((labels == ANOMALOUS).sum())
    return 2 * hits / both if both else float("nan")


def delay_s(case: Detected, threshold: float) -> float:
    """Seconds from the first anomalous bin's start to the end of the first flagged one; infinity when none is."""
    anomalous = np.flatnonzero(case.labels == ANOMALOUS)
    if not len(anomalous):
        return float("nan")
    flagged = anomalous[case.scores[anomalous] >= threshold]
    return float((flagged[0] - anomalous[0] + 1) * case.bin_s) if len(flagged) else float("inf")


def false_alarms(case: Detected, threshold: float) -> tuple[int, float]:
    """The number of alarms in a case's normal bins, and the hours of those bins; consecutive bins are one alarm."""
    flags = (case.scores >= threshold) & (case.labels == NORMAL)
    raised = int((flags & ~np.concatenate([[False], flags[:-1]])).sum())
    return raised, float((case.labels == NORMAL).sum() * case.bin_s / 3600)


def _at_thresholds(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Anomalous bins, and all bins, that are flagged at each distinct score, from the highest down."""
    values, place = np.unique(scores, return_inverse=True)
    counts = np.bincount(place, minlength=len(values))[::-1]
    hits = np.bincount(place[labels == ANOMALOUS], minlength=len(values))[::-1]
    return np.cumsum(hits), np.cumsum(counts)
