"""Modalities that were recorded after the others, or not cut to the case, or in an unknown time zone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_anomod.audit.finding import Finding, Rule, Severity
from pytest_anomod.audit.material import AuditCase, Material

if TYPE_CHECKING:
    import pandas as pd

OLDER_SHARE = 0.5
"""Share of rows from before the case from which on a modality was not cut to it."""
STORED = ("traces", "logs")
"""Modalities that a workload leaves behind it by itself: they say when it was played."""


def find(material: Material) -> Iterator[Finding]:
    """Such cases, by system and modality."""
    for system, cases in material.systems.items():
        late: dict[str, list[str]] = {}
        older: dict[str, list[str]] = {}
        naive: dict[str, list[str]] = {}
        for case in cases:
            for name in _late(case):
                late.setdefault(name, []).append(case.case_id)
            for name in _older(case):
                older.setdefault(name, []).append(case.case_id)
            for name in case.naive_times:
                naive.setdefault(name, []).append(case.case_id)
        for found, what, todo in (
            (late, "were recorded after the workload was over", "record them while the fault is in"),
            (older, "are mostly from before the case: they were not cut to it", "cut every modality at the same edges"),
            (naive, "have times without a time zone", "write UTC, or the offset"),
        ):
            for name, having in found.items():
                yield Finding(
                    severity=Severity.DEFECT, cases=tuple(having),
                    what=f"{system}: {name} of {len(having)} of {len(cases)} cases {what}",
                    todo=todo, figures={"modality": name, "cases": len(having), "of": len(cases)},
                )  # fmt: skip


def _late(case: AuditCase) -> Iterator[str]:
    """Modalities that begin after the last trace and the last line."""
    times = dict(_times(case))
    last = max((int(times[name].max()) for name in STORED if name in times), default=None)
    for name in times:
        if last is not None and name not in STORED and int(times[name].min()) > last:
            yield name


def _older(case: AuditCase) -> Iterator[str]:
    yield from case.uncut
    for name, times in _times(case):
        if name not in case.uncut and case.started_ns and float((times < case.started_ns).mean()) > OLDER_SHARE:
            yield name


def _times(case: AuditCase) -> Iterator[tuple[str, pd.Series]]:
    """The times of each modality that has rows; coverage has those of its windows only."""
    for name in case.modalities:
        frame = case.table(name)
        if frame is not None and len(frame) and name != "coverage":
            yield name, frame["time_unix_nano"]


RULE = Rule(name="out-of-time", looks_for="modalities that were not recorded while the fault was in", find=find)
