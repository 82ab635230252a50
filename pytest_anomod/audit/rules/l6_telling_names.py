"""L6: names and log lines that tell an injection: a setting that is changed, a tool that is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.dataset.templates import mask

if TYPE_CHECKING:
    import pandas as pd

TELLING = re.compile(
    r"(?i)\bconfig (?:set|resetstat|rewrite)\b|\b(?:lock|statement)_timeout\b|\balter (?:system|role|database)\b"
    r"|\bparameter \"\w+\" (?:changed|cannot be changed|removed)|\breload(?:ing|ed)? (?:its )?config"
    r"|\bSIGHUP, reloading|\bmaxmemory(?:-policy)? (?:set|changed)|\bpg_terminate_backend|\bset maxmemory"
    r"|\biptables\b|\btc qdisc\b|\bnetem\b|\bstress-ng\b|\bdebug sleep\b|\bclient pause\b"
)
"""What is written when somebody changes a setting or calls a tool, and by no request of users."""
TEXTS = {"logs": ("body",), "traces": ("span_name",), "metrics": ("metric_name",)}


def find(material: Material) -> Iterator[Finding]:
    """Telling texts of cases with a fault that no control has."""
    usual: set[str] = set()
    told: list[tuple[AuditCase, str, dict[str, list[str]]]] = []
    for case in material.cases:
        for modality, columns in TEXTS.items():
            frame = case.table(modality)
            for column in columns:
                if frame is None or column not in frame:
                    continue
                found = _telling(case, frame, column)
                if case.is_control:
                    usual |= set(found)
                elif found:
                    told.append((case, f"{modality}.{column}", found))
    for case, where, found in told:
        for text, (service, phases) in found.items():
            if text not in usual:
                yield Finding(
                    severity=Severity.LEAK, cases=(case.case_id,), service=service,
                    what=f"{where} tells the injection: {text[:120]!r} in {phases}; no control has it",
                    todo="inject without a word in the store's log, or filter the line when it is recorded",
                    figures={"text": text, "phases": phases},
                )  # fmt: skip
    yield note(f"{len(usual)} telling texts are in controls too, where they tell nothing")


def _telling(case: AuditCase, frame: pd.DataFrame, column: str) -> dict[str, list[str]]:
    """Telling texts without what varies in them, each with the service and the phases it comes in."""
    texts = frame[column].dropna().astype(str)
    distinct = [text for text in texts.unique() if TELLING.search(text)]
    found: dict[str, list[str]] = {}
    for text in distinct:
        rows = frame[frame[column] == text]
        phases = [name for name in case.windows if case.within(rows, name).any()]
        found.setdefault(" ".join(mask(text)), [str(rows["service_name"].iloc[0]), ", ".join(phases) or "no window"])
    return found


RULE = Rule(name="L6-telling-names", looks_for="lines and names that tell an injection", find=find)
