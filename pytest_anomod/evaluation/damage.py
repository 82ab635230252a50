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
        return frame[rng.random(len(frame)) >= damage.severity].reset_index(drop=True)
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
    """Values of rows that are hit get normal noise of the standard deviation of their series, and of 10 % at least."""
    keys = ["service_name", "metric_name", "attributes"]
    values = frame["value"].to_numpy(dtype=float).copy()
    spread = frame.groupby(keys, observed=True, sort=False)["value"].transform("std").fillna(0.0).to_numpy(copy=True)
    hit = _hit(frame, rng, severity)
    values[hit] += rng.normal(0.0, 1.0, len(hit)) * np.maximum(spread[hit], 0.1 * np.abs(values[hit]))
    return frame.assign(value=values)


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
