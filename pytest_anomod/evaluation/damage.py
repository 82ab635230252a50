"""Damages evidence on purpose: rows that are missing at random, and values that are noisy, one modality at a time.

After Liao et al., "Benchmarking Multi-modal Semantic Segmentation under Sensor Failures: Missing and Noisy Modality
Robustness" (CVPR 2025 workshops, arXiv 2503.18445), who fail whole modalities (EMM), random parts of them (RMM) and add
noise (NM). What a part and noise are is ours, for telemetry is no image; whole modalities fail in the subsets.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import pandas as pd

from pytest_anomod.dataset.evidence import Evidence

SEVERITIES = (0.25, 0.5, 0.75)
MISSING, NOISE = "RMM", "NM"
KINDS = (MISSING, NOISE)
LOST_TOGETHER = {
    "metrics": ("service_name", "time_unix_nano"),
    "traces": ("trace_id",),
    "coverage": ("service_name", "file", "function"),
}
"""Rows with the same values here are lost together: a scrape, a trace, a function; of other modalities each alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Damage:
    """One kind of damage to one modality; severity is the share of what is hit."""

    kind: str
    modality: str
    severity: float


def damaged(evidence: Evidence, damage: Damage) -> Evidence:
    """The same evidence with one modality damaged, by the seed of the evidence: always alike."""
    make = functools.partial(_damaged_frame, evidence, damage)
    return evidence.replaced({damage.modality: make})


def _damaged_frame(evidence: Evidence, damage: Damage) -> pd.DataFrame:
    frame = evidence.table(damage.modality)
    rng = np.random.default_rng([evidence.seed, KINDS.index(damage.kind), int(damage.severity * 1000)])
    if damage.kind == MISSING:
        keys = list(LOST_TOGETHER.get(damage.modality, ()))
        unit = frame.groupby(keys, observed=True, sort=False).ngroup().to_numpy() if keys else np.arange(len(frame))
        return frame[rng.random(int(unit.max(initial=-1)) + 1)[unit] >= damage.severity].reset_index(drop=True)
    return _NOISES[damage.modality](frame, rng, damage.severity) if damage.modality in _NOISES else frame


def _hit(frame: pd.DataFrame, rng: np.random.Generator, severity: float) -> np.ndarray:
    return np.flatnonzero(rng.random(len(frame)) < severity)


def _noisy_lengths(status: str, values: tuple[object, object]) -> Callable[..., pd.DataFrame]:
    """Durations of rows that are hit are multiplied by e to the power of a normal number, one in ten changes status."""

    def noisy(frame: pd.DataFrame, rng: np.random.Generator, severity: float) -> pd.DataFrame:
        hit = _hit(frame, rng, severity)
        lengths = frame["duration_ns"].to_numpy(dtype=float).copy()
        lengths[hit] *= np.exp(rng.normal(0.0, 1.0, len(hit)))
        states = frame[status].astype(object).to_numpy().copy()
        turned = hit[rng.random(len(hit)) < 0.1]
        good, bad = values
        states[turned] = [good if state == bad else bad for state in states[turned]]
        return frame.assign(duration_ns=lengths.astype(np.int64), **{status: states})

    return noisy


def _noisy_values(frame: pd.DataFrame, rng: np.random.Generator, severity: float) -> pd.DataFrame:
    """Values that are hit get normal noise: gauges as they are, counters in what they rise by, so that none falls.

    (One that falls looks like a restart.) The noise has the deviation of the series, and 10 % of the value at least.
    """
    frame = frame.sort_values("time_unix_nano", kind="stable", ignore_index=True)
    series = frame.groupby(["service_name", "metric_name", "attributes"], observed=True, sort=False).ngroup()
    values = frame["value"].astype(float)
    rises = frame["kind"].astype(str).isin(("counter", "histogram"))
    step = values.groupby(series).diff().where(rises, values)
    kept = step.isna() | (rises & (step < 0))  # the first value of a counter, and where it was begun anew
    spread = step.groupby(series).transform("std").fillna(0.0).to_numpy()
    least = 0.1 * step.abs().fillna(0.0).to_numpy()
    hit = (rng.random(len(frame)) < severity) & ~kept.to_numpy()
    noisy = step + np.where(hit, rng.normal(0.0, 1.0, len(frame)) * np.maximum(spread, least), 0.0)
    stretch = [series, kept.groupby(series).cumsum()]
    risen = noisy.clip(lower=0.0).where(~kept, values).groupby(stretch).cumsum()
    return frame.assign(value=risen.where(rises, noisy))


def _noisy_lines(frame: pd.DataFrame, rng: np.random.Generator, severity: float) -> pd.DataFrame:
    """Lines that are hit trade their texts and severities with each other."""
    hit = _hit(frame, rng, severity)
    traded = rng.permutation(hit)
    changed = {}
    for column in ("body", "severity_number"):
        values = frame[column].to_numpy().copy()
        values[hit] = values[traded]
        changed[column] = values
    return frame.assign(**changed)


def _noisy_coverage(frame: pd.DataFrame, rng: np.random.Generator, severity: float) -> pd.DataFrame:
    """One in five of the lines that are hit is said to have run when it did not, or the reverse."""
    covered = frame["covered"].to_numpy(dtype=bool).copy()
    hit = _hit(frame, rng, severity / 5)
    covered[hit] = ~covered[hit]
    return frame.assign(covered=covered)


_NOISES: dict[str, Callable[..., pd.DataFrame]] = {
    "logs": _noisy_lines,
    "metrics": _noisy_values,
    "traces": _noisy_lengths("status_code", ("UNSET", "ERROR")),
    "api_responses": _noisy_lengths("status_code", (200, 500)),
    "coverage": _noisy_coverage,
}
