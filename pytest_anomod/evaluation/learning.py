"""Methods that learn, and their cross-validation: each fault at a target is scored by a model of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.evaluation.detection import ANOMALOUS, UNSCORED
from pytest_anomod.evaluation.method import asked, guarded
from pytest_anomod.evaluation.results import by, unit
from pytest_anomod.evaluation.scores import ranking_scores
from pytest_anomod.model.errors import EvaluationError

FOLDS = 5

Row = dict[str, Any]


class Learnt(Protocol):
    """A method that is fitted to labelled cases. `task` is rank or score; `modalities` as of any method.

    Cases are read once, for their features; fitting and predicting see nothing else, so memory stays small.
    """

    name: str
    modalities: tuple[str, ...]
    task: str

    def features(self, evidence: Evidence) -> np.ndarray:
        """One row a service (in the order of `evidence.services`) or a bin; the same columns whatever is granted."""

    def fit(self, features: np.ndarray, truths: np.ndarray, seed: int) -> Any:
        """A model of the rows of many cases, with 1 for a root cause or an anomalous bin and 0 for others."""

    def predict(self, model: Any, features: np.ndarray) -> np.ndarray:
        """One score a row, the higher the worse."""


def learns(method: Any) -> bool:
    """Whether it is such a method."""
    return hasattr(method, "features") and hasattr(method, "fit")


def features_of(method: Any, evidence: Evidence) -> np.ndarray:
    """A method's checked features; EvaluationError names the method, the case and what is wrong with them."""

    def made() -> np.ndarray:
        given = np.asarray(method.features(evidence), dtype=float)
        rows = len(evidence.services) if method.task == "rank" else len(evidence.bins)
        if given.ndim != 2 or len(given) != rows or not np.isfinite(given).all():
            what = "services" if method.task == "rank" else "bins"
            msg = f"gave features of shape {given.shape} for {rows} {what}, or some that are not finite"
            raise EvaluationError(msg)
        return given

    return asked(method, evidence, made)


def judge(rows: Sequence[Row], methods: Mapping[str, Any], seed: int) -> dict[str, str]:
    """Put scores into the rows of methods that learn, in place of their features; return who could not learn, and why.

    Faults at a target (with all their cases, of whatever severity; each control by itself) are dealt into FOLDS by the
    seed; a fold is judged by a model of the others. Damaged evidence is judged by the model of the sound one.
    """
    failed: dict[str, str] = {}
    mine = [row for row in rows if row["features"] is not None]
    for (name, _), group in by(mine, "method", "modalities").items():
        try:
            _judge_group(group, methods[name], seed)
        except EvaluationError as error:
            failed[name] = f"method {name!r}: {error}"
    return failed


def _judge_group(rows: Sequence[Row], method: Any, seed: int) -> None:
    units = sorted({unit(row) for row in rows})
    if len(units) < 2:
        msg = "learns from other faults or targets than it is tried on, and here is only one"
        raise EvaluationError(msg)
    order = np.random.default_rng(seed).permutation(len(units))
    fold_of = {units[place]: number % FOLDS for number, place in enumerate(order)}
    for fold in sorted(set(fold_of.values())):
        sound = [row for row in rows if fold_of[unit(row)] != fold and not row["damage"]]
        features, truths = _pooled(sound)
        model = guarded(lambda: method.fit(features, truths, seed))  # noqa: B023 - called at once
        for row in rows:
            if fold_of[unit(row)] == fold:
                _put(row, _predicted(method, model, row))


def _predicted(method: Any, model: Any, row: Row) -> np.ndarray:
    """The checked scores of a case, one a row of its features."""
    scores = guarded(lambda: np.asarray(method.predict(model, row["features"]), dtype=float))
    if scores.shape != (len(row["features"]),):
        msg = f"predicts scores of shape {scores.shape} for the {len(row['features'])} rows of case {row['case_id']}"
        raise EvaluationError(msg)
    if not np.isfinite(scores).all():
        msg = f"predicts {scores[~np.isfinite(scores)][0]} in case {row['case_id']}; scores must be finite"
        raise EvaluationError(msg)
    return scores


def _pooled(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    columns = sorted({row["features"].shape[1] for row in rows})
    if len(columns) > 1:
        msg = f"gave {' and '.join(map(str, columns))} columns of features; every case must have the same"
        raise EvaluationError(msg)
    parts, truths = [], []
    for row in rows:
        known = row["targets"] != UNSCORED
        parts.append(row["features"][known])
        truths.append(row["targets"][known] == ANOMALOUS)
    pooled = np.concatenate(truths).astype(int)
    if not 0 < pooled.sum() < len(pooled):
        msg = "has nothing to tell apart: the cases it learns from are all of one kind"
        raise EvaluationError(msg)
    return np.concatenate(parts), pooled


def _put(row: Row, predicted: np.ndarray) -> None:
    if row["task"] == "score":
        row["scores"] = predicted.tolist()
        return
    names = list(range(len(predicted)))
    truths = np.flatnonzero(row["targets"] == ANOMALOUS).tolist()
    row |= ranking_scores(dict(zip(names, predicted.tolist(), strict=True)), truths, names)
