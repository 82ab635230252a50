"""Telemetry that is too thin: traces cut off at a round number, metrics without rates, lengths, errors or stores."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_anomod.audit.finding import Finding, Rule, Severity
from pytest_anomod.audit.material import AuditCase, Material

ROUND = (50, 100, 200, 500, 1_000, 1_500, 2_000, 5_000, 10_000)
"""Limits that collectors have."""
WANTED = {
    "request rates": re.compile(r"(?i)requests?(_total|_rate|_duration\w*_count)|request_rate|\bqps\b|\brps\b|_cpm\b"),
    "request lengths": re.compile(r"(?i)duration|latency|response_?time"),
    "errors": re.compile(r"(?i)error_rate|errors?_total|error_replies|requests_total|success_rate|_sla\b|rollback"),
    "stores": re.compile(r"(?i)redis|mongo|mysql|postgres|pg_|memcached|jvm_db"),
}
ALIKE = 0.8
"""Share of cases that must reach the same limit."""


def find(material: Material) -> Iterator[Finding]:
    """Such modalities, by system."""
    for system, cases in material.systems.items():
        yield from _capped(system, cases)
        names = {
            name
            for case in cases
            if (frame := case.table("metrics")) is not None
            for name in frame["metric_name"].unique()
        }
        missing = [what for what, pattern in WANTED.items() if not any(pattern.search(str(name)) for name in names)]
        if names and missing:
            yield Finding(
                severity=Severity.DEFECT, cases=tuple(case.case_id for case in cases),
                what=f"{system}: none of {len(names)} metrics tells of {', '.join(missing)}",
                todo="scrape what services and stores count themselves, not only what the machine does",
                figures={"metrics": len(names), "missing": missing},
            )  # fmt: skip


def _capped(system: str, cases: tuple[AuditCase, ...]) -> Iterator[Finding]:
    """Traces by case, or by the service that they begin at, whose number is a limit in most cases."""
    reached: dict[tuple[str, int], list[str]] = {}
    asked = 0
    for case in cases:
        frame = case.table("traces")
        if frame is None or not len(frame) or case.stored is not None:
            continue
        asked += 1
        by_service = frame.groupby("service_name", observed=True)["trace_id"].nunique()
        for what, count in (("a case", frame["trace_id"].nunique()), ("a service", by_service.max())):
            if int(count) in ROUND:
                reached.setdefault((what, int(count)), []).append(case.case_id)
    for (what, limit), having in reached.items():
        if asked > 1 and len(having) >= ALIKE * asked:
            yield Finding(
                severity=Severity.DEFECT, cases=tuple(having),
                what=f"{system}: {limit:,} traces {what} in {len(having)} of {asked} cases: the collector stops there",
                todo="page through all traces of the case, or stream spans while it is recorded",
                figures={"limit": limit, "cases": len(having)},
            )  # fmt: skip


RULE = Rule(name="thin", looks_for="traces that are cut off, metrics that lack what matters", find=find)
