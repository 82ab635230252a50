"""Runs methods over a dataset, case by case; only the scores of a case are kept, so memory does not grow."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_anomod.dataset.evidence import Evidence, alarm_evidence, detection_evidence, equal_lengths
from pytest_anomod.dataset.read import Dataset, load_dataset
from pytest_anomod.dataset.read_case import DatasetCase
from pytest_anomod.evaluation import learning
from pytest_anomod.evaluation import method as answers
from pytest_anomod.evaluation.damage import damaged
from pytest_anomod.evaluation.external import find_method
from pytest_anomod.evaluation.scores import ALL, LEVELS, path_scores, ranking_scores
from pytest_anomod.evaluation.trials import (
    DETECTED,
    RANKED,
    Options,
    Trial,
    Truth,
    about,
    bin_labels,
    case_seed,
    trials_of,
    truth_of,
)
from pytest_anomod.host import pool
from pytest_anomod.model import clock
from pytest_anomod.model.errors import EvaluationError
from pytest_anomod.model.propagation import USER
from pytest_anomod.model.timeline import Phase

Row = dict[str, Any]
MOST_JOBS = 2
WORTH_A_JOB = 8
"""A second process pays from so many cases on; it takes a second to begin."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """One row a case and trial; methods that were left out, with the reason; counts of cases that were left out.

    `lacking` counts by method the cases that are not among its own because they lack a modality that it reads.
    """

    rows: Sequence[Row]
    left_out: Mapping[str, str]
    passed_over: Mapping[str, int]
    lacking: Mapping[str, int] = dataclasses.field(default_factory=dict)
    seconds: float
    options: Options


def evaluate(
    path: str | os.PathLike[str] | Dataset,
    methods: Sequence[str] | Mapping[str, Any],
    options: Options | None = None,
    *,
    jobs: int = MOST_JOBS,
    say: Callable[[int, int], None] = lambda done, all_: None,
) -> Results:
    """Evaluate methods, named as on the command line or given by name, over a dataset; `say` hears of the progress.

    Given methods run in this process. EvaluationError when nothing can be evaluated; a method that does wrong is left
    out from then on, with its reason in the result.
    """
    options = options or Options()
    began = clock.monotonic_s()
    data = path if isinstance(path, Dataset) else load_dataset(path)
    given = dict(methods) if isinstance(methods, Mapping) else None
    left_out: dict[str, str] = {}
    trials = _trials(methods, data, options, left_out)
    cases, passed_over = _chosen(data, trials)
    options = dataclasses.replace(options, history_s=_history(cases, options))
    player = Player(trials=trials, options=options, lengths=equal_lengths(cases), given=given)
    jobs = 1 if given else min(jobs, MOST_JOBS, max(1, len(cases) // WORTH_A_JOB))
    by_case: dict[int, list[Row]] = {}
    for number, rows in pool.mapped(player, cases, jobs):
        by_case[number] = rows
        say(len(by_case), len(cases))
    rows = [row for number in sorted(by_case) for row in by_case[number]]
    for row in rows:
        if row["error"]:
            left_out.setdefault(row["method"], row["error"])
    rows = [row for row in rows if row["method"] not in left_out]
    found = {spec: given[spec] if given else find_method(spec) for spec in {row["method"] for row in rows}}
    left_out |= learning.judge(rows, found, options.seed)
    for row in rows:
        del row["features"], row["targets"]
    return Results(
        rows=[row for row in rows if row["method"] not in left_out],
        left_out=left_out,
        passed_over=passed_over,
        lacking=_lacking(cases, [trial for trial in trials if trial.method not in left_out]),
        seconds=clock.monotonic_s() - began,
        options=options,
    )


class Player:
    """Tries everything on one case; it can be sent to another process, where methods are found anew by their names."""

    def __init__(
        self,
        *,
        trials: Sequence[Trial],
        options: Options,
        lengths: Mapping[str, float],
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._trials, self._options, self._lengths, self._given = tuple(trials), options, dict(lengths), given
        self._methods: dict[str, Any] = {}
        self._failed: set[str] = set()

    def __call__(self, case: DatasetCase) -> list[Row]:
        """Rows of one case."""
        rows: list[Row] = []
        ranks = case.label.verdict in RANKED and case.label.root_cause_service
        options, seed = self._options, case_seed(case, self._options.seed)
        truth = truth_of(case)
        whole = alarm_evidence(case, shift_s=options.alarm_shift_s, seed=seed) if ranks else None
        detects = detection_evidence(
            case,
            length_s=self._lengths.get(case.case_id),
            bin_s=options.bin_s,
            history_s=options.history_s,
            seed=seed,
            share=whole,
        )
        for damage in dict.fromkeys(trial.damage for trial in self._trials):
            for task, base in (("rank", whole), ("score", detects)):
                if base is not None:
                    evidence = damaged(base, damage) if damage else base
                    rows += [
                        about(case) | self._try(trial, evidence.narrowed(trial.modalities), case, truth)
                        for trial in self._trials
                        if (trial.damage, trial.task) == (damage, task)
                        and not set(trial.modalities) - set(base.granted)
                    ]
        return rows

    def _try(self, trial: Trial, evidence: Evidence, case: DatasetCase, truth: Truth) -> Row:
        damage = trial.damage
        row: Row = {
            "method": trial.method,
            "task": trial.task,
            "modalities": "+".join(trial.modalities),
            "damage": damage.kind if damage else "",
            "damaged_modality": damage.modality if damage else "",
            "damage_severity": damage.severity if damage else 0.0,
            "candidates": len(evidence.services),
            "truths": max(1, len(truth.services)),
            "error": "",
            **dict.fromkeys(ALL),
            **dict.fromkeys((f"gave_{level}" for level in (*LEVELS, "path")), False),
            "scores": None,
            "labels": None,
            "features": None,
            "targets": None,
            "bin_s": evidence.bin_s,
        }
        if trial.method in self._failed:
            return row | {"error": "it failed before"}
        began = time.process_time()
        try:
            row |= self._asked(trial, evidence, case, truth)
        except EvaluationError as error:
            self._failed.add(trial.method)
            row["error"] = str(error).replace(evidence.case_id, f"case {case.case_id}")
        row["cpu_s"] = time.process_time() - began
        return row

    def _asked(self, trial: Trial, evidence: Evidence, case: DatasetCase, truth: Truth) -> Row:
        method = self._method(trial.method)
        if learning.learns(method):
            return self._learnt(method, evidence, case, truth)
        if trial.task == "score":
            scores = answers.score(method, evidence)
            return {"scores": scores.tolist(), "labels": bin_labels(case, evidence).tolist()}
        ranking = answers.rank(method, evidence)
        row: Row = dict(ranking_scores(ranking.services, truth.services, evidence.services))
        named: dict[str, Mapping[Any, float]] = {
            "code": ranking.code,
            "instance": ranking.instances,
            "edge": ranking.edges,
        }
        for level, places in truth.levels.items():
            if places:
                found = ranking_scores(named[level], places, named[level])
                row |= {f"{level} {name}": value for name, value in found.items()}
                row[f"gave_{level}"] = bool(named[level])
        if truth.proven:
            steps = [step for step in ranking.path if USER not in step]
            row |= {**path_scores(steps, truth.proven, truth.unknown), "gave_path": bool(steps)}
        return row

    def _learnt(self, method: Any, evidence: Evidence, case: DatasetCase, truth: Truth) -> Row:
        """Features, for `learning.judge` to put scores in their place once all cases are read."""
        made = {"features": learning.features_of(method, evidence)}
        if method.task == "score":
            labels = bin_labels(case, evidence)
            return made | {"targets": labels, "labels": labels.tolist()}
        return made | {"targets": np.isin(evidence.services, truth.services).astype(int)}

    def _method(self, spec: str) -> Any:
        if spec not in self._methods:
            self._methods[spec] = self._given[spec] if self._given else find_method(spec)
        return self._methods[spec]


def _trials(
    methods: Sequence[str] | Mapping[str, Any], data: Dataset, options: Options, left_out: dict[str, str]
) -> list[Trial]:
    trials: list[Trial] = []
    for spec in methods:
        method = methods[spec] if isinstance(methods, Mapping) else find_method(spec)
        try:
            trials += trials_of(spec, method, data.modalities, options)
        except EvaluationError as error:
            left_out[spec] = str(error)
    if not trials:
        msg = next(iter(left_out.values()), "no method was named, so there is nothing to evaluate")
        raise EvaluationError(msg)
    return trials


def _chosen(data: Dataset, trials: Sequence[Trial]) -> tuple[list[DatasetCase], dict[str, int]]:
    """The cases that any trial is about, and by verdict how many are not."""
    wanted = {verdict for trial in trials for verdict in (RANKED if trial.task == "rank" else DETECTED)}
    cases = list(data)
    passed_over = Counter(str(case.verdict) for case in cases if case.verdict not in wanted)
    chosen = [case for case in cases if case.verdict in wanted]
    if not chosen:
        msg = f"{data.path} has no case to evaluate: its {len(cases)} cases have no verdict among {', '.join(wanted)}"
        raise EvaluationError(msg)
    return chosen, dict(passed_over)


def _lacking(cases: Sequence[DatasetCase], trials: Sequence[Trial]) -> dict[str, int]:
    """By method how many cases it could not be tried on with all that it was granted elsewhere."""
    whole: dict[tuple[str, str], Trial] = {}
    for trial in trials:  # that with everything is the first of each task
        whole.setdefault((trial.method, trial.task), trial)
    lacking: dict[str, set[str]] = {}
    for trial in whole.values():
        wanted = RANKED if trial.task == "rank" else DETECTED
        mine = [case for case in cases if case.verdict in wanted]
        if short := {case.case_id for case in mine if set(trial.modalities) - set(case.modalities)}:
            lacking.setdefault(trial.method, set()).update(short)
    return {name: len(short) for name, short in lacking.items()}


def _history(cases: Sequence[DatasetCase], options: Options) -> float:
    """The history that all cases can give: that asked for, or half of the shortest baseline; the same for all."""
    baselines = [window.length_s for case in cases if (window := case.timeline.window(Phase.BASELINE)) is not None]
    return float(np.floor(min([options.history_s, *(length / 2 for length in baselines)]) * 100) / 100)
