"""Audits a dataset: reads it in the form it has, asks every rule, gives the findings."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_anomod.audit import anomod_form, our_form
from pytest_anomod.audit.finding import Finding, Severity
from pytest_anomod.audit.material import Material
from pytest_anomod.audit.rules import all_rules
from pytest_anomod.dataset import layout
from pytest_anomod.dataset.read import check_root
from pytest_anomod.model.errors import DatasetError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """The material, and the findings of each rule by its name; a rule without findings has an empty tuple."""

    path: Path
    form: str
    cases: int
    controls: int
    found: dict[str, tuple[Finding, ...]]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Leaks and defects, without notes."""
        return tuple(
            finding for found in self.found.values() for finding in found if finding.severity is not Severity.NOTE
        )


def audit(path: str | os.PathLike[str], *, only: Sequence[str] = (), say: Callable[[str], object] = len) -> Audited:
    """Run every rule (or only those with one of these names) on the dataset at a path or URL; `say` is told which runs.

    DatasetError when there is no readable dataset, or no rule has the name.
    """
    rules = [rule for rule in all_rules() if not only or rule.name in only]
    unknown = sorted(set(only) - {rule.name for rule in rules})
    if unknown:
        msg = f"no rule {unknown[0]!r}; rules are {', '.join(rule.name for rule in all_rules())}"
        raise DatasetError(msg)
    root = layout.place(path)
    material = read(root)
    if not material.cases:
        msg = f"{root} has no complete case, so there is nothing to audit"
        raise DatasetError(msg)
    found = {}
    for rule in rules:
        say(rule.name)
        found[rule.name] = tuple(dataclasses.replace(finding, rule=rule.name) for finding in rule.find(material))
    return Audited(
        path=root,
        form=material.form,
        cases=len(material.cases),
        controls=sum(case.is_control for case in material.cases),
        found=found,
    )


def read(path: Path) -> Material:
    """The cases of a dataset of our own form, or of AnoMod's published one."""
    if anomod_form.fits(path):
        return anomod_form.read(path)
    check_root(path)
    return our_form.read(path)
