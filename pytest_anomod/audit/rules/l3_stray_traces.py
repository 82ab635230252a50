"""L3, L5: traces that no request of the workload began, at the root cause, while a fault is in: a tool's probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import LABELLED, AuditCase, Material
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    import pandas as pd

LEAST = 3
RATIO = 5.0
"""So many times more often than in the baseline: a system may have traffic of its own, at all times."""
KINDS = {"traces": "traces", "logs": "log lines with a trace id"}


def find(material: Material) -> Iterator[Finding]:
    """Traces and lines of traces that are in no answer's record, by the service they begin at."""
    asked = 0
    for case in material.timed:
        answers = case.table("api_responses")
        if answers is None or "trace_id" not in answers:
            continue
        for modality in KINDS:
            frame = case.table(modality)
            if frame is not None and "trace_id" in frame:
                asked += modality == "traces"
                yield from _strays(case, modality, frame, set(answers["trace_id"]))
    yield note(f"{asked} cases with a fault have both answers and traces, joined by trace id")


def _strays(case: AuditCase, modality: str, frame: pd.DataFrame, known: set[str]) -> Iterator[Finding]:
    ids = frame["trace_id"].fillna("")
    stray = frame[(ids != "") & ~ids.isin(known)]
    first = stray.sort_values("time_unix_nano", kind="stable").drop_duplicates("trace_id")
    mine = first[first["service_name"] == case.target]
    faulty, before = case.within(mine, *LABELLED), case.within(mine, Phase.BASELINE)
    now = faulty.sum() / max(case.seconds(*LABELLED), 1e-3)
    usual = before.sum() / max(case.seconds(Phase.BASELINE), 1e-3)
    if faulty.sum() >= LEAST and now > RATIO * usual:
        yield Finding(
            severity=Severity.LEAK, cases=(case.case_id,), service=case.target,
            what=f"{int(faulty.sum())} {KINDS[modality]} begin at the root cause while the fault is in, of no "
            f"request of the workload; {int(before.sum())} in the baseline",
            todo="leave what the tool asks of a service out of traces and logs, or ask it in every window",
            figures={"while_in": int(faulty.sum()), "baseline": int(before.sum())},
        )  # fmt: skip


RULE = Rule(name="L3-stray-traces", looks_for="traces that no request of the workload began (L3, L5)", find=find)
