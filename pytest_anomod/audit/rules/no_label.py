"""Labels that are missing or can't be right: no label file, no times of the fault, no baseline, a wrong level."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pytest_anomod.audit.finding import Finding, Rule, Severity
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.model.fault import Level
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.verdict import Verdict

NOTHING = (Verdict.INEFFECTIVE, Verdict.CONTAMINATED, Verdict.BROKEN)
"""Verdicts by which a dataset says itself that a case holds no anomaly that can be relied on."""


def find(material: Material) -> Iterator[Finding]:
    """By system: how many cases lack what a detector is trained and judged by."""
    for system, cases in material.systems.items():
        labelled = [case for case in cases if not case.is_control]
        for lacks, what, todo in DEFECTS:
            if found := tuple(case.case_id for case in labelled if case.verdict not in NOTHING and lacks(case)):
                yield Finding(
                    severity=Severity.DEFECT, cases=found,
                    what=f"{system}: {len(found)} of {len(labelled)} cases with a fault {what}",
                    todo=todo, figures={"cases": len(found), "of": len(labelled)},
                )  # fmt: skip
        if not any(case.is_control for case in cases):
            yield Finding(
                severity=Severity.DEFECT, what=f"{system} has no case without a fault",
                todo="record controls: nothing else tells what is found where nothing is",
            )  # fmt: skip


def _stops_a_service(case: AuditCase) -> bool:
    """Whether it is called a fault in code while its name says that a whole service was stopped."""
    return case.level == Level.CODE and case.stored is None and "stop" in case.scenario.lower()


def _lacks(*phases: str) -> Callable[[AuditCase], bool]:
    return lambda case: not {*phases} & {*case.windows}


DEFECTS: tuple[tuple[Callable[[AuditCase], bool], str, str], ...] = (
    (
        lambda case: not case.has_label,
        "have no label file: what was broken stands in the names of folders alone",
        "write a label a case: root cause, fault, parameters, times",
    ),
    (
        _lacks(Phase.ANOMALY),
        "don't say when the fault was in, nor when it ended",
        "write down when the fault was seen to be in, and to be gone",
    ),
    (
        _lacks(Phase.BASELINE, Phase.RECOVERY),
        "have no baseline and no recovery of their own: nothing tells the fault from another day",
        "record the same system before the fault, and after it",
    ),
    (
        _stops_a_service,
        "are called code level, and stop a whole service: no line of code is at fault",
        "call them service level, or put the fault into code",
    ),
)

RULE = Rule(name="no-label", looks_for="labels that are missing or can't be right", find=find)
