"""A method as a test: `@evaluation(min={"AC@1": 0.3})` on a function, tried by `pytest --anomod-replay DIR`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.dataset.read import load_dataset
from pytest_anomod.evaluation import results as figures
from pytest_anomod.evaluation.external import as_method
from pytest_anomod.evaluation.run import Results, evaluate
from pytest_anomod.evaluation.scores import ALL
from pytest_anomod.evaluation.trials import Options
from pytest_anomod.model.errors import AnomodError, EvaluationError
from pytest_anomod.model.modality import MODALITIES

RANKS = ALL
DETECTS = ("AP", "ROC AUC", "F1")
MOST_NAMED = 5

Method = Callable[[Evidence], Any]


def evaluation(
    *,
    min: Mapping[str, float],
    modalities: Sequence[str] = MODALITIES,
    systems: str | Sequence[str] | None = None,
    scenarios: str | Sequence[str] | None = None,
    seed: int = 1,
) -> Callable[[Method], Callable[[pytest.FixtureRequest], None]]:
    """Make a test of a function that takes evidence: it must reach each figure of `min` over the recorded cases.

    Figures of rankings: AC@1, AC@3, AC@5, Avg@5, MRR, the same with "code ", "instance " or "edge " before them, and
    "path precision" and "path recall"; then the function gives suspicion by service, or a Ranking. Figures of
    detection: AP, ROC AUC, F1; then it gives a score a bin. `modalities` are what it is granted; `systems` and
    `scenarios` choose cases. Without --anomod-replay the test is skipped. The function itself stays at hand as
    `.method`. EvaluationError for figures that there are not, or of both kinds.
    """
    task = _task(min)

    def declare(method: Method) -> Callable[[pytest.FixtureRequest], None]:
        def test(request: pytest.FixtureRequest) -> None:
            path = request.config.option.anomod_replay
            if path is None:
                pytest.skip("evaluates a method on recorded cases: say --anomod-replay DIR")
            name = method.__name__
            where = path if "://" in path else request.config.invocation_params.dir / path
            try:
                data = load_dataset(where, systems=systems, scenarios=scenarios)
                made = as_method(method, name, task, tuple(modalities))
                results = evaluate(data, {name: made}, Options(seed=seed))
                if results.left_out:
                    raise EvaluationError(results.left_out[name])
            except AnomodError as error:
                pytest.fail(str(error), pytrace=False)
            reached = reached_figures(results, task)
            request.node.user_properties.extend((f"evaluation {key}", str(reached[key])) for key in min)
            if why := shortfall(results, reached, min):
                pytest.fail(why, pytrace=False)

        functools.update_wrapper(test, method, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        del test.__wrapped__  # type: ignore[attr-defined] # pytest would ask for the method's own arguments as fixtures
        test.method = method  # type: ignore[attr-defined]
        return test

    return declare


def reached_figures(results: Results, task: str) -> dict[str, Any]:
    """Every figure of the only method, by name."""
    seed = results.options.seed
    if task == "rank":
        rows = figures.rankings(results.rows)
        return {name: figures.figure(rows, name, seed) for name in RANKS}
    found = figures.detection_figures(figures.detections(results.rows), seed)
    return {"AP": found.ap, "ROC AUC": found.auc, "F1": found.f1}


def shortfall(results: Results, reached: Mapping[str, Any], least: Mapping[str, float]) -> str:
    """What to say of figures that are too low; "" when none is."""
    low = [name for name, bound in least.items() if not reached[name].value >= bound]
    said = [f"{name} is {reached[name]} over {reached[name].cases} cases, not {least[name]:g}" for name in low]
    if low and low[0] in RANKS:
        rows = [row for row in figures.rankings(results.rows) if row[low[0]] is not None]
        worst = sorted(rows, key=lambda row: (row[low[0]], row["MRR"]))[:MOST_NAMED]
        said.append("worst: " + ", ".join(f"{row['scenario']} ({row['case_id']})" for row in worst))
    return "; ".join(said)


def _task(least: Mapping[str, float]) -> str:
    unknown = [name for name in least if name not in (*RANKS, *DETECTS)]
    if unknown or not least:
        given = f"{unknown[0]!r} is no figure" if unknown else "min names no figure"
        msg = f"@evaluation: {given}; there are {', '.join((*RANKS, *DETECTS))}"
        raise EvaluationError(msg)
    tasks = {"rank" if name in RANKS else "score" for name in least}
    if len(tasks) > 1:
        msg = f"@evaluation: {', '.join(least)} are figures of ranking and of detection; a function does one of them"
        raise EvaluationError(msg)
    return tasks.pop()
