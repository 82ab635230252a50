"""A stored case as the checks see it: the same view that it was judged by when it was recorded."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_anomod.dataset import layout
from pytest_anomod.dataset.read_case import DatasetCase
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DatasetError, ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.scenario import Scenario
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

NEEDED = ("dropped", "problems", "findings")
"""What case.json must say beside its tables: without it a loss would pass for none."""


def stored_view(case: DatasetCase) -> CaseView:
    """The view of a case on disk; DatasetError when it lacks what was known when it was recorded.

    Its system and its fault must be on offer here: a check asks what the target is and what it is called by.
    """
    manifest = case.manifest
    missing = [name for name in NEEDED if name not in manifest]
    if missing:
        written = (manifest.get("versions") or {}).get("pytest-anomod", "an unknown version")
        msg = f"case {case.case_id}, of pytest-anomod {written}, does not say {', '.join(missing)}; record it again"
        raise DatasetError(msg)
    try:
        scenario = Scenario.from_json(case.scenario)
        system = catalog.find("systems", scenario.system)
        for target in scenario.targets:
            system.service(target)
    except ScenarioError as error:
        msg = f"case {case.case_id}: {error}; go where its conftest.py is, or install the package that defines it"
        raise DatasetError(msg) from error
    return CaseView(
        case_id=case.case_id,
        scenario=scenario,
        system=system,
        journal=case.journal,
        timeline=case.timeline,
        frames={name: case.table(name) for name in case.modalities},
        dropped=dict(manifest["dropped"]),
        problems=tuple(manifest["problems"]),
        absent=dict(case.absent),
        may_be_silent=layout.may_be_silent(manifest),
    )


def stored_findings(case: DatasetCase) -> tuple[Finding, ...]:
    """What the checks found when the case was recorded; DatasetError when case.json holds no findings."""
    try:
        return tuple(map(_finding, case.manifest["findings"]))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{case.directory / layout.CASE_FILE} holds no findings ({error!r}); fetch it again, or remove the case"
        raise DatasetError(msg) from error


def _finding(entry: Mapping[str, Json]) -> Finding:
    return Finding(
        check=entry["check"],
        question=entry["question"],
        outcome=Outcome(entry["outcome"]),
        message=entry["message"],
        evidence=entry.get("evidence") or {},
        fault=entry.get("fault", 0),
    )
