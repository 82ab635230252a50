"""What a method is: a name, the modalities it reads, and `rank` or `score`; and how its answers are checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from pytest_anomod.dataset.evidence import Evidence
from pytest_anomod.model.errors import EvaluationError
from pytest_anomod.model.propagation import USER

Answer = TypeVar("Answer")
Function = tuple[str, str]
"""A function of the system's source: file and qualified name, as in the coverage."""
Edge = tuple[str, str]
"""Two services: caller and callee of a call, or cause and effect of a step. Users are USER (model/propagation.py)."""


class Method(Protocol):
    """A method that ranks causes (`rank`), detects (`score`), or does both; whichever it has is evaluated.

    It is given evidence of those of its `modalities` that there are and that were granted: at least one. A method
    with several must cope with any of them missing. `trivial` (False when left out) marks a rule so simple that cases
    it solves are too easy.
    """

    name: str
    modalities: tuple[str, ...]

    def rank(self, evidence: Evidence) -> Ranking | Mapping[str, float] | Sequence[str]:
        """Suspicion by service, the higher the worse; or names of services, the worst first; or a Ranking with code."""

    def score(self, evidence: Evidence) -> Sequence[float]:
        """How anomalous each of `evidence.bins` is, the higher the worse."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Suspicion by service, and by what else a method names; services that are not named share the last places.

    `edges` are calls (caller, callee) that the fault may lie on, `path` the steps (cause, effect) over which it spread.
    """

    services: Mapping[str, float]
    code: Mapping[Function, float] = dataclasses.field(default_factory=dict)
    instances: Mapping[str, float] = dataclasses.field(default_factory=dict)
    edges: Mapping[Edge, float] = dataclasses.field(default_factory=dict)
    path: Sequence[Edge] = ()


def rank(method: Any, evidence: Evidence) -> Ranking:
    """A method's checked ranking; EvaluationError names the method, the case and what is wrong with the answer."""
    answer = asked(method, evidence, lambda: method.rank(evidence))
    if answer is None:
        raise _error(method, evidence, "gave nothing (None); give a score for each service, {} for no suspicion")
    if not isinstance(answer, Ranking):
        answer = Ranking(services=_by_service(method, evidence, answer))
    for field in ("services", "code", "instances", "edges"):
        _check_scores(method, evidence, getattr(answer, field), field)
    _check_edges(method, evidence, [*answer.edges], "edges")
    _check_edges(method, evidence, answer.path, "path")
    unknown = [name for name in answer.services if name not in evidence.services]
    if unknown:
        few = ", ".join(evidence.services[:4])
        raise _error(method, evidence, f"ranks {unknown[0]!r}, no service of {evidence.system.name!r} ({few}, ...)")
    return answer


def score(method: Any, evidence: Evidence) -> np.ndarray:
    """A method's checked scores, one a bin; EvaluationError names the method, the case and what is wrong."""
    answer = asked(method, evidence, lambda: method.score(evidence))
    if answer is None:
        raise _error(method, evidence, f"gave nothing (None); give a score for each of the {len(evidence.bins)} bins")
    try:
        scores = np.asarray(answer, dtype=float)
    except (TypeError, ValueError, OverflowError) as error:
        raise _error(method, evidence, f"gave scores that are no numbers: {answer!r:.60}") from error
    if scores.shape != evidence.bins.shape:
        raise _error(method, evidence, f"gave scores of shape {scores.shape} for {len(evidence.bins)} bins")
    if not np.isfinite(scores).all():
        place = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise _error(method, evidence, f"gives bin {place} the score {scores[place]}; scores must be finite")
    return scores


def tasks_of(method: Any) -> tuple[str, ...]:
    """What a method can be asked: rank, score; one that learns (see `learning`) says its task.

    EvaluationError for one that learns and says no such task.
    """
    if hasattr(method, "features"):
        task = getattr(method, "task", None)
        if task not in ("rank", "score"):
            msg = f"method {method.name!r} learns the task {task!r}; its attribute `task` must be rank or score"
            raise EvaluationError(msg)
        return (task,)
    return tuple(name for name in ("rank", "score") if callable(getattr(method, name, None)))


def asked(method: Any, evidence: Evidence, ask: Callable[[], Answer]) -> Answer:
    """What a method gives for a case; EvaluationError names both and says what it raised."""
    try:
        return guarded(ask)
    except EvaluationError as error:
        raise _error(method, evidence, str(error)) from error


def guarded(ask: Callable[[], Answer]) -> Answer:
    """What code of others gives; EvaluationError says in one line what it raised."""
    try:
        return ask()
    except EvaluationError:
        raise
    except Exception as error:  # whatever a foreign method raises is told as its own, and the others go on
        msg = f"raised {type(error).__name__}: {' '.join(str(error).split())}"
        raise EvaluationError(msg) from error


def _by_service(method: Any, evidence: Evidence, answer: Any) -> Mapping[str, float]:
    if isinstance(answer, Mapping):
        return answer
    if isinstance(answer, Sequence) and not isinstance(answer, str) and all(isinstance(name, str) for name in answer):
        return {name: float(len(answer) - place) for place, name in enumerate(dict.fromkeys(answer))}
    raise _error(method, evidence, f"gave {answer!r:.60}; give scores by service, or names of services in order")


def _check_scores(method: Any, evidence: Evidence, scores: Any, field: str) -> None:
    if not isinstance(scores, Mapping):
        raise _error(method, evidence, f"gave a Ranking with {field}={scores!r:.60}; give a mapping to scores")
    for name, value in scores.items():
        if isinstance(value, bool | str) or not math.isfinite(_number(value)):
            raise _error(method, evidence, f"gives {name!r} the score {value!r}; scores must be finite numbers")


def _check_edges(method: Any, evidence: Evidence, edges: Any, field: str) -> None:
    known = {*evidence.services, USER}
    if not isinstance(edges, Sequence) or isinstance(edges, str):
        raise _error(method, evidence, f"gave a Ranking with {field}={edges!r:.60}; give pairs of services")
    for edge in edges:
        if not (isinstance(edge, tuple) and len(edge) == 2 and all(name in known for name in map(str, edge))):
            raise _error(method, evidence, f"names {edge!r:.60} in {field}, no pair of services of the system")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _error(method: Any, evidence: Evidence, why: str) -> EvaluationError:
    return EvaluationError(f"method {method.name!r}, {evidence.case_id}: {why}")
