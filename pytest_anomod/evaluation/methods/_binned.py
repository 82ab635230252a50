"""Figures of each bin of time, a column each, for detectors; and how unusual each bin is against the history."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.methods._series import series_of
from pytest_anomod.evaluation.methods._spans import FAILED

MOST = 5
"""A bin is judged by so many of its figures, the most unusual ones."""
WARNING = 13
"""OpenTelemetry's severity number from which on a line is a warning or worse."""
SHARE = 0.1


def features_of(evidence: Evidence, modality: str) -> np.ndarray:
    """One row a bin, one column a figure: counts, failures and mean lengths by service; of metrics their values."""
    make = {"logs": _logs, "metrics": _metrics, "traces": _traces, "api_responses": _responses}[modality]
    return evidence.kept(modality, f"bins of {evidence.bin_s} s", lambda: make(evidence))


def unusual(evidence: Evidence, features: np.ndarray) -> np.ndarray:
    """By bin: the mean of the MOST largest distances from the median of the history, in spreads, in the logarithm.

    The spread is the interquartile range of the history, and no less than SHARE of the median, a Poisson count's
    deviation (root of the median) and 1e-3.
    """
    usual = features[evidence.bins + round(evidence.bin_s * 1e9) <= evidence.normal_until_ns]
    if not len(usual) or not features.shape[1]:
        return np.zeros(len(features))
    low, middle, high = np.quantile(usual, [0.25, 0.5, 0.75], axis=0)
    floor = np.maximum(SHARE * np.abs(middle), np.sqrt(np.abs(middle)))
    spread = np.maximum(high - low, np.maximum(floor, 1e-3))
    far = np.sort(np.abs(features - middle) / spread, axis=1)[:, -MOST:]
    return np.asarray(np.log1p(far.mean(axis=1)))


def _places(evidence: Evidence, times: np.ndarray) -> np.ndarray:
    """The number of the bin of each time; the number of bins for what is in none."""
    place = (times - evidence.start_ns) // round(evidence.bin_s * 1e9)
    return np.where((place >= 0) & (place < len(evidence.bins)), place, len(evidence.bins))


def _counted(evidence: Evidence, times: np.ndarray, groups: pd.Series, *weights: np.ndarray) -> np.ndarray:
    """Rows of each group in each bin, then the sum of each weight; groups that are rare in all bins are kept too."""
    codes, names = pd.factorize(groups)
    bins, count = len(evidence.bins), len(names)
    keys = _places(evidence, times) * (count + 1) + codes
    made = [
        np.bincount(keys, weights=weight, minlength=(bins + 1) * (count + 1)).reshape(bins + 1, -1)[:bins, :count]
        for weight in (np.ones(len(times)), *weights)
    ]
    return np.hstack(made) if count else np.empty((bins, 0))


def _logs(evidence: Evidence) -> np.ndarray:
    frame = evidence.logs
    bad = (frame["severity_number"].to_numpy(dtype=float) >= WARNING).astype(float)
    return _counted(evidence, frame["time_unix_nano"].to_numpy(), frame["service_name"].astype(str), bad)


def _traces(evidence: Evidence) -> np.ndarray:
    frame = evidence.traces
    failed = (frame["status_code"].astype(str) == FAILED).to_numpy(dtype=float)
    length = np.log1p(frame["duration_ns"].to_numpy(dtype=float) / 1e6)
    counted = _counted(evidence, frame["time_unix_nano"].to_numpy(), frame["service_name"].astype(str), failed, length)
    return _with_mean(counted, 3)


def _responses(evidence: Evidence) -> np.ndarray:
    frame = evidence.api_responses
    failed = evidence.failed().astype(float)
    length = np.log1p(frame["duration_ns"].to_numpy(dtype=float) / 1e6)
    counted = _counted(evidence, frame["time_unix_nano"].to_numpy(), frame["service_name"].astype(str), failed, length)
    return _with_mean(counted, 3)


def _with_mean(counted: np.ndarray, parts: int) -> np.ndarray:
    """The last part, a sum of lengths, divided by the first, the count."""
    *others, length = np.split(counted, parts, axis=1)
    return np.hstack([*others, length / np.maximum(others[0], 1.0)])


def _metrics(evidence: Evidence) -> np.ndarray:
    series = series_of(evidence)
    place = _places(evidence, series.times)
    bins = len(evidence.bins)
    sums = np.zeros((bins + 1, series.values.shape[1]))
    np.add.at(sums, place, series.values)
    often = np.bincount(place, minlength=bins + 1)[:, None]
    with np.errstate(invalid="ignore"):
        means = (sums / often)[:bins]
    frame = pd.DataFrame(means[:, [name in evidence.services for name in series.services]])
    return np.asarray(frame.ffill().bfill().fillna(0.0).to_numpy(dtype=float))  # a bin without a tick: the one before
