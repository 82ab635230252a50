"""L2: requests that a service counted and that left no span: a tool's probes, counted and not traced."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import Material
from pytest_anomod.audit.rules._figures import at_chance, is_first, stands_out
from pytest_anomod.dataset.evidence import alarm_evidence
from pytest_anomod.evaluation.methods.counter_minus_spans import CounterMinusSpans

FLOOR = 0.5
"""Requests a second that counter and spans may differ by: they are not read at the same moment."""
ADVICE = "probe in every window of every case, controls too, or leave neither counters nor spans"


def find(material: Material) -> Iterator[Finding]:
    """Cases in which the root cause counts more requests than it serves spans, beside all other services."""
    method = CounterMinusSpans()
    firsts = []
    for case in material.timed:
        if case.stored is None or {"metrics", "traces"} - {*case.modalities}:
            continue
        rises = method.rank(alarm_evidence(case.stored.again()))
        if case.target not in rises or len(rises) < 2:
            continue
        firsts.append((case.case_id, is_first(rises, case.target), 1 / len(rises)))
        if stands_out(rises, case.target, floor=FLOOR):
            others = max(value for name, value in rises.items() if name != case.target)
            yield Finding(
                severity=Severity.LEAK, cases=(case.case_id,), service=case.target,
                what=f"counts {rises[case.target]:+.1f} requests a second more than it has spans once the fault is in; "
                f"the next service {others:+.1f}",
                todo=ADVICE, figures={"target": rises[case.target], "next": others},
            )  # fmt: skip
    said = at_chance("the surplus of counters over spans", firsts, ADVICE)
    yield said or note("no case has counters of requests and spans of its root cause")


RULE = Rule(name="L2-counter-surplus", looks_for="requests that were counted and not traced", find=find)
