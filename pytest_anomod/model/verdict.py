"""The input and output of checks: case view, finding, verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from pytest_anomod.model.fault import Json
from pytest_anomod.model.journal import Journal
from pytest_anomod.model.scenario import Scenario
from pytest_anomod.model.system import System
from pytest_anomod.model.timeline import Timeline

Check = TypeVar("Check", bound=Callable[..., Any])


class Verdict(StrEnum):
    """The sum of a case's findings."""

    EFFECTIVE = "effective"  # mechanism proven, symptom on the target, impact at the user's edge, healed
    TOLERATED = "tolerated"  # mechanism and symptom proven, no impact: the system coped
    SILENT = "silent"  # mechanism proven, nothing moved in any modality
    INEFFECTIVE = "ineffective"  # mechanism not proven
    CONTAMINATED = "contaminated"  # baseline not steady, or something leaked in (a control: anything was found)
    BROKEN = "broken"  # a collector, check or rollback failed; never called valid
    NORMAL = "normal"  # a control in which nothing was found


PROVING = (Verdict.EFFECTIVE, Verdict.TOLERATED, Verdict.SILENT)
"""Verdicts on a fault that was proven to be in, and out again."""

ANY = "any"
"""Expects any valid verdict: of a fault one of PROVING."""


def is_expected(verdict: str, expects: str, *, unasked: bool = False) -> bool:
    """Whether a verdict is what a scenario expects.

    `unasked`: nobody could look for the fault (as in an experiment of a file): not having seen it is no mistake.
    """
    if expects != ANY:
        return verdict == expects
    return verdict in (*PROVING, Verdict.NORMAL) or (unasked and verdict == Verdict.INEFFECTIVE)


class Outcome(StrEnum):
    """What one finding says about its question."""

    PROVEN = "proven"
    ABSENT = "absent"
    BROKEN = "broken"
    NOT_ASKED = "not_asked"  # what it takes to ask is not there: neither proven nor failed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A check's remark on a question: complete, aligned, steady, mechanism, symptom, impact, healed, or a new one.

    `evidence` holds the figures (effect sizes, p values, counts) as JSON; `message` is one sentence with numbers.
    """

    check: str
    question: str
    outcome: Outcome
    message: str
    evidence: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    fault: int = 0
    """Of a compound case the number of the fault that it is about, from 1; 0: the case as a whole."""


def needs(*modalities: str) -> Callable[[Check], Check]:
    """Say which modalities a check can't do without; in a case that lacks one it is not asked."""

    def mark(check: Check) -> Check:
        check.needs = modalities  # type: ignore[attr-defined]
        return check

    return mark


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case as checks and the report see it; `frames` maps modality name to a pandas DataFrame with all columns.

    `dropped` counts, per modality, records that could not be taken; `problems` lists what went wrong on the way.
    `absent` gives the reason for each modality that the system can't give; `may_be_silent` names modalities of which
    nothing has to come (Collector.may_be_silent).
    """

    case_id: str
    scenario: Scenario
    system: System
    journal: Journal
    timeline: Timeline
    frames: Mapping[str, Any]
    dropped: Mapping[str, int]
    problems: tuple[str, ...] = ()
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    may_be_silent: frozenset[str] = frozenset()
    kept: dict[str, Any] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)
    """What checks worked out and others need too; a changed copy of a view begins without."""

    @property
    def each(self) -> tuple[CaseView, ...]:
        """The case as if each of its faults were the only one: itself, unless it is compound."""
        if not self.scenario.further:
            return (self,)
        if "each" not in self.kept:
            self.kept["each"] = tuple(self._alone(number + 1) for number in range(len(self.scenario.injections)))
        views: tuple[CaseView, ...] = self.kept["each"]
        return views

    def _alone(self, number: int) -> CaseView:
        return dataclasses.replace(
            self,
            scenario=self.scenario.alone(number),
            journal=self.journal.alone(number),
            timeline=self.timeline.alone(number),
        )
