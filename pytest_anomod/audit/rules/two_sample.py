"""Tests by modality whether the control windows of controls can be told from their baselines."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.audit.rules._figures import growth
from pytest_anomod.model.modality import HOST, in_order
from pytest_anomod.model.timeline import Phase

BIN_NS = 2_000_000_000
LEAST_CONTROLS = 4
ERROR = 0.05
TREES = 60
SEED = 1
WARNING = 13
"""OpenTelemetry's severity number from which on a line is a warning or worse."""


def find(material: Material) -> Iterator[Finding]:
    """A random forest's ROC area for control against baseline, each control judged by a forest of all others.

    With the t interval of the areas by case (Bonferroni over modalities and systems), from the larger of their own
    spread and the spread of chance: if it contains 0.5 the modality is at chance.
    """
    if importlib.util.find_spec("sklearn") is None:
        yield note("not asked: it needs scikit-learn (pip install 'pytest-anomod[evaluation]')")
        return
    for system, cases in material.systems.items():
        controls = [case for case in cases if {Phase.BASELINE, Phase.CONTROL} <= {*case.windows}]
        if len(controls) < LEAST_CONTROLS:
            yield note(f"{system}: {len(controls)} controls with two windows, {LEAST_CONTROLS} are needed")
            continue
        asked = [name for name in in_order(one for case in controls for one in case.modalities) if name in FEATURES]
        for modality in asked:
            yield _tested(system, modality, controls, ERROR / len(asked) / len(material.systems))


def _tested(system: str, modality: str, controls: Sequence[AuditCase], error_rate: float) -> Finding:
    """The area of a modality, with the interval that all of the audit's together miss in ERROR of datasets."""
    from scipy import stats

    samples = [(frame, truths) for frame, truths in (_samples(case, modality) for case in controls) if len(truths)]
    areas = _areas(samples)
    if len(areas) < LEAST_CONTROLS:
        return note(f"{system}, {modality}: {len(areas)} controls have rows in both windows, {LEAST_CONTROLS} needed")
    bins = np.mean([len(truths) / 2 for _, truths in samples])
    lots = np.sqrt((2 * bins + 1) / (12 * bins**2) / len(areas))  # what chance would give, as in the U test
    mean, error = float(np.mean(areas)), float(max(stats.sem(areas), lots))
    reach = float(stats.t.ppf(1 - error_rate / 2, len(areas) - 1)) * error
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    what = f"{system}, {modality}: control against baseline {mean:.2f} ({low:.2f} to {high:.2f}, {len(areas)} controls)"
    figures = {"system": system, "modality": modality, "area": mean, "interval": [low, high], "controls": len(areas)}
    if low <= 0.5:  # below 0.5 a forest is mostly wrong, which does not show a difference either
        return note(f"{what}: at chance", **figures)
    return Finding(
        severity=Severity.LEAK, cases=tuple(case.case_id for case in controls),
        what=f"{what}: the order of windows shows where nothing was done", figures=figures,
        todo="look which figure drifts: a warm-up that is too short, caches that fill, a tool that works in one window",
    )  # fmt: skip


def _samples(case: AuditCase, modality: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Figures of bins of the baseline (0) and of the control window (1), as many of each."""
    frame = case.table(modality)
    if frame is None:
        return pd.DataFrame(), np.empty(0)
    if modality == "api_responses":
        frame = frame.assign(failed=case.failed())
    parts = []
    for phase in (Phase.BASELINE, Phase.CONTROL):
        start, end = case.windows[phase]
        if modality == "coverage":  # one count a window
            parts.append([FEATURES[modality](frame, start, end)])
            continue
        starts = range(start, end - BIN_NS + 1, BIN_NS)
        parts.append([FEATURES[modality](frame, begin, begin + BIN_NS) for begin in starts])
    rows = min(map(len, parts))
    truths = np.repeat([0, 1], rows)
    return pd.DataFrame([row for part in parts for row in part[:rows]]), truths


def _areas(samples: Sequence[tuple[pd.DataFrame, np.ndarray]]) -> list[float]:
    """By control, its ROC area by a forest of all other controls."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score

    if len(samples) < LEAST_CONTROLS:
        return []
    whole = pd.concat([frame for frame, _ in samples], ignore_index=True).fillna(0.0)
    truths = np.concatenate([truth for _, truth in samples])
    owner = np.repeat(np.arange(len(samples)), [len(truth) for _, truth in samples])
    areas = []
    for number in range(len(samples)):
        mine = owner == number
        forest = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=SEED, n_jobs=1)
        forest.fit(whole[~mine].to_numpy(), truths[~mine])
        areas.append(float(roc_auc_score(truths[mine], forest.predict_proba(whole[mine].to_numpy())[:, 1])))
    return areas


def _cut(frame: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    times = frame["time_unix_nano"]
    return frame[(times >= start) & (times < end)]


def _by_service(rows: pd.DataFrame, **figures: Any) -> dict[str, float]:
    """Rows by service, and the sum of each figure."""
    grouped = rows.assign(rows=1.0, **figures).groupby(rows["service_name"].astype(str))[["rows", *figures]].sum()
    return {f"{service} {name}": float(value) for service, row in grouped.iterrows() for name, value in row.items()}


def _logs(frame: pd.DataFrame, start: int, end: int) -> dict[str, float]:
    rows = _cut(frame, start, end)
    return _by_service(rows, bad=(rows["severity_number"].astype(float) >= WARNING).astype(float))


def _traces(frame: pd.DataFrame, start: int, end: int) -> dict[str, float]:
    rows = _cut(frame, start, end)
    failed = (rows["status_code"].astype(str) == "ERROR").astype(float)
    return _by_service(rows, failed=failed, length=np.log1p(rows["duration_ns"].astype(float) / 1e6))


def _responses(frame: pd.DataFrame, start: int, end: int) -> dict[str, float]:
    rows = _cut(frame, start, end)
    return _by_service(
        rows, failed=rows["failed"].astype(float), length=np.log1p(rows["duration_ns"].astype(float) / 1e6)
    )


def _metrics(frame: pd.DataFrame, start: int, end: int) -> dict[str, float]:
    frame = frame[(frame["service_name"] != HOST) & ~frame["metric_name"].astype(str).str.endswith("_bucket")]
    counts = frame["kind"].astype(str).isin(("counter", "histogram"))
    grown = growth(frame[counts], start, end)["rate"]
    gauges = _cut(frame[~counts], start, end).groupby(["service_name", "metric_name"], observed=True)["value"].mean()
    found: Mapping[Any, float] = {**grown.to_dict(), **gauges.to_dict()}
    return {" ".join(map(str, key)): value for key, value in found.items()}


def _coverage(frame: pd.DataFrame, start: int, end: int) -> dict[str, float]:
    rows = _cut(frame, start, end)
    ran = rows[rows["covered"].astype(bool)].drop_duplicates(["service_name", "file", "line"])
    return {str(service): float(count) for service, count in ran.groupby("service_name", observed=True).size().items()}


FEATURES = {
    "logs": _logs,
    "metrics": _metrics,
    "traces": _traces,
    "api_responses": _responses,
    "coverage": _coverage,
}

RULE = Rule(name="two-sample", looks_for="controls whose windows can be told apart, by modality", find=find)
