"""What an audit finds, and what a rule is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    from pytest_anomod.audit.material import Material


class Severity(StrEnum):
    """How much a finding weighs; notes do not fail an audit."""

    LEAK = "leak"  # something other than the anomaly shows which case, service or moment is anomalous
    DEFECT = "defect"  # a case does not hold what its label says, or can't be used for it
    NOTE = "note"  # a figure that the rule computed, or why it could not run


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a rule: in which cases, at which service, a sentence with figures, and what to do."""

    severity: Severity
    cases: tuple[str, ...] = ()
    service: str = ""
    what: str
    todo: str = ""
    figures: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    rule: str = ""
    """Filled in by the audit."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A question to a dataset. `looks_for` completes the sentence "it looks for ..."."""

    name: str
    looks_for: str
    find: Callable[[Material], Iterable[Finding]]


def note(what: str, **figures: Json) -> Finding:
    """A figure that a rule computed, or why it could not run."""
    return Finding(severity=Severity.NOTE, what=what, figures=figures)
