"""Aggregates the rows of an evaluation: figures with intervals, by group, by subset of modalities, by damage."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from pytest_anomod.evaluation import detection
from pytest_anomod.evaluation.detection import Detected
from pytest_anomod.evaluation.scores import COVERED, Figure, mean_figure

Row = Mapping[str, Any]
AnyRow = TypeVar("AnyRow", bound=Row)
Part = TypeVar("Part")
CALIBRATION = "calibration"
"""The split of a label (model/standing.py) that thresholds are fixed on."""
CALIBRATION_SHARE = 1 / 3
RESAMPLES = 200
"""For figures of detection, which must be worked out anew from all bins each time."""


def rankings(rows: Sequence[Row]) -> list[Row]:
    """Rows of rankings by whole evidence: all modalities that the method was granted, nothing damaged."""
    return [row for row in whole(rows) if row["task"] == "rank"]


def detections(rows: Sequence[Row]) -> list[Row]:
    """The same of detections."""
    return [row for row in whole(rows) if row["task"] == "score"]


def figure(rows: Sequence[Row], name: str, seed: int) -> Figure:
    """The mean of a score over cases; cases without one (code, of a fault that is not in code) are left out."""
    known = [row for row in rows if row[name] is not None]
    return mean_figure([row[name] for row in known], [unit(row) for row in known], seed)


def by(rows: Sequence[AnyRow], *names: str) -> dict[Any, list[AnyRow]]:
    """Rows by the values of columns, in order of value; one column gives plain values, several tuples."""
    groups: dict[Any, list[AnyRow]] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        groups.setdefault(key if len(names) > 1 else key[0], []).append(row)
    return dict(sorted(groups.items(), key=lambda item: str(item[0])))


def subsets(rows: Sequence[Row], method: str, name: str) -> dict[frozenset[str], float]:
    """A method's mean score with each set of modalities that it was tried with, undamaged."""
    mine = [row for row in rows if row["method"] == method and not row["damage"] and row[name] is not None]
    return {
        frozenset(key.split("+")): float(np.mean([row[name] for row in group]))
        for key, group in by(mine, "modalities").items()
    }


def precision(rows: Sequence[AnyRow]) -> float:
    """AP of a detector over all bins of these cases."""
    labels, scores = (np.concatenate([np.asarray(row[name]) for row in rows]) for name in ("labels", "scores"))
    known = labels != detection.UNSCORED
    return detection.average_precision(labels[known], scores[known])


def detector_subsets(rows: Sequence[AnyRow]) -> dict[frozenset[str], float]:
    """A detector's AP with each set of modalities that it was tried with, undamaged."""
    return {
        frozenset(key.split("+")): precision(group)
        for key, group in by([row for row in rows if not row["damage"]], "modalities").items()
    }


def random_precision(rows: Sequence[AnyRow]) -> float:
    """AP of a random detector: the share of the bins that are anomalous."""
    labels = np.concatenate([np.asarray(row["labels"]) for row in rows])
    return float(np.mean(labels[labels != detection.UNSCORED] == detection.ANOMALOUS))


def shapley(values: Mapping[frozenset[str], float], nothing: float) -> dict[str, float]:
    """Each modality's share of what all of them reach above `nothing`, the value without any (chance).

    The mean over all orders of what a modality adds to those before it; shares add up to the whole gain. Every subset
    must have a value.
    """
    names = sorted(frozenset().union(*values))
    worth = {**values, frozenset(): nothing}
    shares = {}
    for name in names:
        others = [other for other in names if other != name]
        shares[name] = sum(
            math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(names))
            * (worth[frozenset((*some, name))] - worth[frozenset(some)])
            for size in range(len(names))
            for some in itertools.combinations(others, size)
        )  # fmt: skip
    return shares


def entire_missing(values: Mapping[frozenset[str], float], p: float | None = None) -> float:
    """The mean over subsets with something missing: all alike, or each modality missing with chance p on its own.

    EMM of Liao et al. (2025). Subsets with all or no modalities are left out.
    """
    whole = len(max(values, key=len))
    some = {subset: value for subset, value in values.items() if len(subset) < whole}
    weights = [1.0 if p is None else p ** (whole - len(subset)) * (1 - p) ** len(subset) for subset in some]
    return float(np.average(list(some.values()), weights=weights)) if some else float("nan")


def chance(rows: Sequence[Row]) -> float:
    """AC@1 of a random ranking."""
    return float(np.mean([row.get("truths", 1) / row["candidates"] for row in rows])) if rows else float("nan")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detection:
    """How well a method detects. AP and AUC over all cases; the rest over those that the threshold was not fixed on."""

    ap: Figure
    auc: Figure
    f1: Figure
    threshold: float
    delay_s: Figure
    """The median of those that were found."""
    found: float
    false_alarms_per_hour: Figure
    control_hours: float
    anomalous: float
    """Share of the bins that are anomalous: the AP of a random detector."""
    cases: int
    calibration_cases: int


def detection_figures(rows: Sequence[Row], seed: int) -> Detection:
    """The figures of one method over cases. The threshold is that of the best F1 on the calibration cases."""
    cases = {
        row["case_id"]: Detected(
            scores=np.asarray(row["scores"]),
            labels=np.asarray(row["labels"]),
            bin_s=row["bin_s"],
            is_control=row["is_control"],
        )
        for row in rows
    }
    groups = {row["case_id"]: unit(row) for row in rows}
    held = calibration(rows, seed)
    threshold = detection.best_threshold(*_pooled([cases[name] for name in cases if name in held]))
    tested = {name: case for name, case in cases.items() if name not in held}
    delays = {name: detection.delay_s(case, threshold) for name, case in tested.items() if not case.is_control}
    delays = {name: delay for name, delay in delays.items() if not math.isnan(delay)}
    found = {name: delay for name, delay in delays.items() if math.isfinite(delay)}
    alarms = {name: detection.false_alarms(case, threshold) for name, case in tested.items() if case.is_control}

    def f1(some: Sequence[Detected]) -> float:
        return detection.f1_at(*_pooled(some), threshold)

    return Detection(
        ap=_resampled(lambda some: detection.average_precision(*_pooled(some)), cases, groups, seed),
        auc=_resampled(lambda some: detection.roc_auc(*_pooled(some)), cases, groups, seed),
        f1=_resampled(f1, tested if held else {}, groups, seed),
        threshold=threshold,
        delay_s=_resampled(lambda some: float(np.median(some)), found, groups, seed),
        found=len(found) / len(delays) if delays else float("nan"),
        false_alarms_per_hour=_resampled(_an_hour, alarms, groups, seed),
        control_hours=sum(hours for _, hours in alarms.values()),
        anomalous=float(np.mean(_pooled(list(cases.values()))[0] == detection.ANOMALOUS)) if cases else float("nan"),
        cases=len(cases),
        calibration_cases=len(held),
    )


def calibration(rows: Sequence[Row], seed: int) -> set[str]:
    """Ids of the cases that thresholds are fixed on: those whose label says so (`split`).

    Where that leaves no fault to fix them on, or none to try them on, a third of each system's units (see `unit`), and
    of its controls, drawn by the seed. A unit is on one side with all its severities and repetitions. Where there is
    only one it is tested on, not calibrated on.
    """
    if len({row["split"] == CALIBRATION for row in rows if not row["is_control"]}) == 2:
        return {row["case_id"] for row in rows if row["split"] == CALIBRATION}
    rng = np.random.default_rng(seed)
    held: set[str] = set()
    for group in by(rows, "system", "is_control").values():
        units: dict[Any, list[Row]] = {}
        for row in group:
            units.setdefault(unit(row), []).append(row)
        names = sorted(units)
        count = round(len(names) * CALIBRATION_SHARE) if len(names) > 1 else 0
        for place in rng.permutation(len(names))[:count]:
            held.update(row["case_id"] for row in units[names[place]])
    return held


def _an_hour(alarms: Sequence[tuple[int, float]]) -> float:
    hours = sum(length for _, length in alarms)
    return sum(raised for raised, _ in alarms) / hours if hours else float("nan")


def _resampled(
    value: Callable[[Sequence[Part]], float], cases: Mapping[str, Part], groups: Mapping[str, Any], seed: int
) -> Figure:
    """A figure of what is known of some cases, with the interval from drawing whole units."""
    if not cases:
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    units: dict[Any, list[Part]] = {}
    for name, case in cases.items():
        units.setdefault(groups[name], []).append(case)
    names, rng = list(units), np.random.default_rng(seed)
    drawn = [
        value([case for place in rng.integers(0, len(names), len(names)) for case in units[names[place]]])
        for _ in range(RESAMPLES)
    ]
    known = [number for number in drawn if not math.isnan(number)]
    low, high = np.quantile(known, [(1 - COVERED) / 2, (1 + COVERED) / 2]) if known else (float("nan"),) * 2
    return Figure(value(list(cases.values())), float(low), float(high), len(cases))


def _pooled(cases: Sequence[Detected]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of all bins that count."""
    known = [case.known() for case in cases]
    if not known:
        return np.empty(0, dtype=int), np.empty(0)
    return np.concatenate([labels for labels, _ in known]), np.concatenate([scores for _, scores in known])


def whole(rows: Sequence[Row]) -> list[Row]:
    """Rows by whole evidence: all modalities that the method was granted, nothing damaged."""
    most: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row["method"], row["task"]
        most[key] = max(most.get(key, 0), _count(row))
    return [row for row in rows if not row["damage"] and _count(row) == most[row["method"], row["task"]]]


def _count(row: Row) -> int:
    return len(row["modalities"].split("+")) if row["modalities"] else 0


def unit(row: Row) -> tuple[str, str]:
    """What is drawn together, or learnt from together: the cases of the same faults at the same targets.

    Scenarios that differ in severity or seed alone are alike. Each control stands for itself; where a label has no
    target, as in imported data, the scenario stands for it.
    """
    if row["is_control"]:
        return row["system"], row["case_id"]
    return row["system"], f"{row['faults']} at {row['target'] or row['scenario']}"
