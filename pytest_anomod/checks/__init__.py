"""Plain functions from a case to findings, and the verdict they add up to."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from pytest_anomod.checks.aligned import check_aligned
from pytest_anomod.checks.calm import check_calm
from pytest_anomod.checks.complete import check_complete
from pytest_anomod.checks.healed import check_healed, steady_again
from pytest_anomod.checks.impact import check_impact
from pytest_anomod.checks.judgement import explain, judge
from pytest_anomod.checks.mechanism import check_mechanism
from pytest_anomod.checks.ranking import top_shifts
from pytest_anomod.checks.steady import check_steady
from pytest_anomod.checks.symptom import check_symptom
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

__all__ = ["CHECKS", "explain", "judge", "run_checks", "steady_again", "top_shifts"]

CHECKS: dict[str, Callable[[CaseView], Finding]] = {
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


def run_checks(view: CaseView) -> tuple[Finding, ...]:
    """Answer every question about a case; a check that crashes gives a broken finding, never a valid case."""
    return tuple(_run(question, check, view) for question, check in CHECKS.items())


def _run(question: str, check: Callable[[CaseView], Finding], view: CaseView) -> Finding:
    try:
        return check(view)
    except Exception as error:  # whatever goes wrong in a check is a word on the case, not the end of the session
        frame = traceback.extract_tb(error.__traceback__)[-1]
        last = traceback.format_exception_only(error)[-1].strip()
        return Finding(
            check=question, question=question, outcome=Outcome.BROKEN,
            message=f"the check {question!r} crashed in {frame.name} (line {frame.lineno}): {last}",
            evidence={"traceback": traceback.format_exception(error)[-3:]},
        )  # fmt: skip
