"""Plain functions from a case to findings, and the verdict they add up to."""

from __future__ import annotations

import dataclasses
import functools
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from pytest_anomod.checks.affected import answers
from pytest_anomod.checks.aligned import check_aligned
from pytest_anomod.checks.calm import check_calm
from pytest_anomod.checks.complete import check_complete
from pytest_anomod.checks.healed import check_healed, steady_again
from pytest_anomod.checks.impact import check_impact
from pytest_anomod.checks.judgement import explain, judge
from pytest_anomod.checks.mechanism import check_mechanism
from pytest_anomod.checks.propagation import propagation
from pytest_anomod.checks.ranking import top_shifts
from pytest_anomod.checks.steady import check_steady
from pytest_anomod.checks.suite import check_suite
from pytest_anomod.checks.symptom import check_symptom
from pytest_anomod.model.propagation import Propagation
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

__all__ = ["CHECKS", "explain", "judge", "request_labels", "run_checks", "spread_of", "steady_again", "top_shifts"]

Made = TypeVar("Made")
Check = Callable[[CaseView], Finding | Iterable[Finding]]

GROUP = "pytest_anomod.checks"
"""Entry points of other packages that are checks too; they run after our own."""

CHECKS: dict[str, Check] = {
    "complete": check_complete,
    "aligned": check_aligned,
    "calm": check_calm,
    "steady": check_steady,
    "mechanism": check_mechanism,
    "symptom": check_symptom,
    "impact": check_impact,
    "healed": check_healed,
}
"""Question -> the check that answers it, in the order in which they are reported."""

OF_EACH = ("mechanism", "symptom", "impact")
"""Questions that a compound case must answer for each of its faults. Of faults that are in at once users feel both
together, so there is one impact."""


def run_checks(view: CaseView) -> tuple[Finding, ...]:
    """Answer every question about a case; a check that crashes gives a broken finding, never a valid case."""
    checks = [*CHECKS.items(), ("suite", check_suite), *_added()]
    return tuple(finding for name, check in checks for finding in _answered(name, check, view))


def _answered(question: str, check: Check, view: CaseView) -> Iterator[Finding]:
    """What a check finds; for a compound case, the findings on each fault."""
    own = question in OF_EACH and (question != "impact" or view.scenario.in_turn)
    if not own or not view.scenario.further:
        yield from _run(question, check, view)
        return
    for number, one in enumerate(view.each, start=1):
        yield from (dataclasses.replace(found, fault=number) for found in _run(question, check, one))


def spread_of(view: CaseView, findings: Sequence[Finding]) -> Propagation | None:
    """How the fault spread; None, with a word in the case's `kept`, where finding it out failed.

    Of a compound case, how each of them did, as if it were the only one.
    """

    def spread() -> Propagation:
        first, *others = (
            propagation(one, [found for found in findings if found.fault in (0, number)])
            for number, one in enumerate(view.each, start=1)
        )
        return dataclasses.replace(first, further=tuple(others))

    return _labelled(view, "propagation", spread)


def request_labels(view: CaseView) -> dict[str, Any] | None:
    """The label of each request as columns; None in a case without API responses, or where finding it out failed."""
    found = _labelled(view, "request labels", lambda: answers(view))
    return None if found is None else found.columns()


def _labelled(view: CaseView, what: str, make: Callable[[], Made]) -> Made | None:
    try:
        return make()
    except Exception as error:  # without these labels the case is still a case
        view.kept.setdefault("label problems", []).append(f"the {what} could not be worked out: {error!r}")
        return None


@functools.cache
def _added() -> tuple[tuple[str, Check], ...]:
    return tuple((entry_point.name, _offered(entry_point)) for entry_point in entry_points(group=GROUP))


def _offered(entry_point: EntryPoint) -> Check:
    """The check behind an entry point, loaded when it is asked, so that one that can't be loaded is its own finding."""
    return lambda view: _ask(entry_point.name, entry_point.load(), view)


def _ask(question: str, check: Check, view: CaseView) -> Finding | Iterable[Finding]:
    """What a check finds; not asked where the case lacks a modality that it needs."""
    lacking = [name for name in getattr(check, "needs", ()) if name not in view.frames]
    if not lacking:
        return check(view)
    why = "; ".join(f"{name} ({view.absent.get(name, 'not recorded')})" for name in lacking)
    return Finding(
        check=question, question=question, outcome=Outcome.NOT_ASKED,
        message=f"it takes what this case lacks: {why}", evidence={"lacking": lacking},
    )  # fmt: skip


def _run(question: str, check: Check, view: CaseView) -> tuple[Finding, ...]:
    try:
        found = _ask(question, check, view)
        return (found,) if isinstance(found, Finding) else tuple(found)
    except Exception as error:  # an error in a check is a finding of the case, and does not end the session
        frame = traceback.extract_tb(error.__traceback__)[-1]
        last = traceback.format_exception_only(error)[-1].strip()
        crashed = Finding(
            check=question, question=question, outcome=Outcome.BROKEN,
            message=f"the check {question!r} crashed in {frame.name} (line {frame.lineno}): {last}",
            evidence={"traceback": traceback.format_exception(error)[-3:]},
        )  # fmt: skip
        return (crashed,)
