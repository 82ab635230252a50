"""L6: names that come only while a fault is in, whatever their words: lines, spans, metrics, routes, instances."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import LABELLED, AuditCase, Material
from pytest_anomod.dataset.templates import mask
from pytest_anomod.model.fault import Level
from pytest_anomod.model.modality import HOST
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    import pandas as pd

QUIET = (Phase.HISTORY, Phase.BASELINE, Phase.CONTROL)
LEAST = 3
"""So many cases of a fault must have a name,"""
SHARE = 0.8
"""and this share of them: a name that is rare all the time comes by chance in some."""
COLUMNS = {
    "logs": ("body", "service_instance_id"),
    "traces": ("span_name", "service_instance_id"),
    "metrics": ("metric_name", "service_instance_id"),
    "api_responses": ("route",),
}
WARNING = 13
"""The lowest severity number of OpenTelemetry that is a warning."""
TROUBLE = re.compile(r"(?i)err|fail|exception|timeout|time_out|retr|reject|abort|drop|lost|evict|oom|kill|restart")
"""What metrics are called that count what goes wrong; most are there from the first time on."""

Name = tuple[str, str]
"""Table and column, and the name; of a log line its template."""


@dataclasses.dataclass(slots=True)
class _Seen:
    """Where a name came while a fault was in."""

    cases: list[str] = dataclasses.field(default_factory=list)
    services: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    is_symptom: bool = False


def find(material: Material) -> Iterator[Finding]:
    """Names that no control and no quiet window has, and nearly every case of a fault while it is in.

    What a failing system says is no mark of a tool, so it is only counted: warnings, failed spans and answers, metrics
    of errors, what other services than the root cause say, and all of it where it was stopped: it starts again.
    """
    usual: set[Name] = set()
    seen: dict[str, dict[Name, _Seen]] = {}
    asked: collections.Counter[str] = collections.Counter()
    for case in sorted(material.cases, key=lambda case: not case.is_control):
        if not case.is_control and not {Phase.BASELINE, Phase.ANOMALY} <= {*case.windows}:
            continue
        fault = f"{case.system} {case.stored.label.fault if case.stored else case.scenario}"
        asked[fault] += not case.is_control
        for where, rows in _tables(case):
            quiet = rows if case.is_control else rows[case.within(rows, *QUIET)]
            usual |= {(where, name) for name in quiet["name"].unique()}
            if not case.is_control:
                _note_down(seen.setdefault(fault, {}), case, where, rows[case.within(rows, *LABELLED)], usual)
    symptoms = 0
    for fault, names in seen.items():
        for key, one in names.items():
            if key in usual or len(one.cases) < max(LEAST, SHARE * asked[fault]):
                continue
            symptoms += one.is_symptom
            if not one.is_symptom:
                yield _told(fault, key, one, asked[fault])
    yield note(f"{symptoms} names of symptoms (trouble, restarts, other services) come only while a fault is in")


def _tables(case: AuditCase) -> Iterator[tuple[str, pd.DataFrame]]:
    """By table and column the rows with their name, and whether trouble of the system itself explains them."""
    for modality, columns in COLUMNS.items():
        frame = case.table(modality)
        for column in columns:
            if frame is None or column not in frame:
                continue
            names = frame[column].astype("category").cat
            made = {one: " ".join(mask(str(one))) if column == "body" else str(one) for one in names.categories}
            rows = frame[["time_unix_nano", "service_name"]].assign(
                name=frame[column].map(made), is_symptom=not case.is_control and _symptoms(case, modality, frame)
            )
            yield f"{modality}.{column}", rows.dropna(subset=["name"])


def _symptoms(case: AuditCase, modality: str, frame: pd.DataFrame) -> pd.Series:
    """Whether trouble of the system explains each row."""
    import pandas as pd

    if modality == "api_responses":
        return pd.Series(case.failed(), index=frame.index)
    own = (HOST,) if case.level == Level.SERVICE else (HOST, case.target)
    found = ~frame["service_name"].isin(own)
    if modality == "logs" and "severity_number" in frame:
        found |= frame["severity_number"] >= WARNING
    elif modality == "traces" and "status_code" in frame:
        found |= frame["status_code"] == "ERROR"
    elif modality == "metrics":
        found |= frame["metric_name"].astype(str).str.contains(TROUBLE)
    return found


def _note_down(seen: dict[Name, _Seen], case: AuditCase, where: str, rows: pd.DataFrame, usual: set[Name]) -> None:
    """Add a case to the names that came while its fault was in and that are not usual so far."""
    for name, mine in rows.groupby("name", observed=True):
        key = (where, str(name))
        if key not in usual:
            one = seen.setdefault(key, _Seen())
            one.cases.append(case.case_id)
            one.services.update(mine["service_name"].astype(str).unique())
            one.is_symptom |= bool(mine["is_symptom"].any())


def _told(fault: str, key: Name, one: _Seen, asked: int) -> Finding:
    where, name = key
    service = one.services.most_common(1)[0][0]
    return Finding(
        severity=Severity.LEAK, cases=tuple(one.cases), service=service,
        what=f"{where} {name[:120]!r} comes in {len(one.cases)} of {asked} cases of {fault} while the fault is in; "
        "no control and no quiet window has it",
        todo="if the tool makes it, keep it out of the telemetry; if the system does, look whether it is a symptom",
        figures={"name": name, "cases": len(one.cases), "of": asked},
    )  # fmt: skip


RULE = Rule(name="L6-names-of-a-fault", looks_for="names that come only while a fault is in", find=find)
