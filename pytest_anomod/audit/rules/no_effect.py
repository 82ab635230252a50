"""Faults without effect: cases whose label names a fault, although no figure in them changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.model.errors import AnomodError
from pytest_anomod.model.verdict import Verdict

SEEN = (Verdict.EFFECTIVE, Verdict.TOLERATED)
"""Verdicts by which a dataset says that an effect was seen."""
LINES_SHARE = 0.01
"""Counts of log lines that differ by no more than this are the same."""
ERROR = 17
"""OpenTelemetry's severity number from which a line is an error."""
ADVICE = "prove each fault while it is in (a probe of its own), and leave cases without effect out, or call them silent"


def find(material: Material) -> Iterator[Finding]:
    """Compare the windows of a case if it has them; else the case with the control of its system."""
    refused = []
    for case in material.timed:
        if case.stored is not None:
            try:
                yield from _by_windows(case)
            except AnomodError as error:
                refused.append(f"{case.case_id} ({error})")
    if refused:
        yield note(f"{len(refused)} cases could not be looked at, such as {refused[0]}")
    for system, cases in material.systems.items():
        controls = [case for case in cases if case.is_control]
        untimed = [case for case in cases if not case.is_control and not case.windows]
        if controls and untimed:
            yield from _by_control(system, untimed, controls[0])


def _by_windows(case: AuditCase) -> Iterator[Finding]:
    """Cases in which, by the statistics of the proof, no figure of any service or at the gateway moved."""
    from pytest_anomod.checks import top_shifts
    from pytest_anomod.dataset.stored_view import stored_view

    assert case.stored is not None
    shifts = top_shifts(stored_view(case.stored.again()), most=10**6)
    if shifts and not any(shift["moved"] for shift in shifts):
        if case.verdict not in SEEN:
            yield note(f"{case.case_id} has no effect, as its verdict says: {case.verdict}")
            return
        yield Finding(
            severity=Severity.DEFECT, cases=(case.case_id,), service=case.target,
            what=f"none of {len(shifts)} figures of any service differs between baseline and anomaly window",
            todo=ADVICE, figures={"figures": len(shifts)},
        )  # fmt: skip


def _by_control(system: str, cases: list[AuditCase], control: AuditCase) -> Iterator[Finding]:
    """What is the same as in the control, by modality; cases in which all is; cases without a failed request."""
    usual = _looks(control)
    same: dict[str, list[str]] = {}
    for case in cases:
        looks = _looks(case)
        compared = [name for name in looks if name in usual]
        equal = [name for name in compared if _equal(looks[name], usual[name])]
        for name in equal:
            same.setdefault(name, []).append(case.case_id)
        if len(compared) > 1 and len(equal) == len(compared):
            yield Finding(
                severity=Severity.DEFECT, cases=(case.case_id,), service=case.target,
                what=f"{case.scenario} had no effect: {', '.join(compared)} are as in the control {control.case_id}",
                todo=ADVICE, figures={"compared": compared},
            )  # fmt: skip
    for name, found in same.items():
        yield Finding(
            severity=Severity.DEFECT, cases=tuple(found),
            what=f"{system}: {WHAT[name]} the same as in the control in {len(found)} of {len(cases)} with a fault",
            todo="look whether the fault was in while this was recorded",
            figures={"same": len(found), "of": len(cases)},
        )  # fmt: skip
    felt = [case.case_id for case in cases if _fails(case) > _fails(control)]
    unfelt = tuple(case.case_id for case in cases if case.case_id not in felt)
    if unfelt:
        yield Finding(
            severity=Severity.DEFECT, cases=unfelt,
            what=f"{system}: only {len(felt)} of {len(cases)} faults make a request fail; in the others the entry logs "
            "no more errors and answers no worse than in the control",
            todo=ADVICE, figures={"felt": len(felt), "of": len(cases)},
        )  # fmt: skip


WHAT = {
    "logs": "the number of log lines of every service is",
    "api_responses": "the distribution of status codes is",
    "coverage": "the set of executed lines is",
}
ENTRIES = ("NginxThrift", "nginx-thrift", "nginx-web-server", "ts-gateway-service", "ts-ui-dashboard")
"""Services by which users come in, in the systems that such datasets are of."""


def _looks(case: AuditCase) -> dict[str, Any]:
    """What of each modality can be compared between two cases."""
    found: dict[str, Any] = {}
    lines = _lines(case)
    if lines:
        found["logs"] = lines
    answers, coverage = case.table("api_responses"), case.table("coverage")
    if answers is not None:
        found["api_responses"] = answers["status_code"].value_counts(normalize=True).round(3).to_dict()
    if coverage is not None:
        ran = coverage[coverage["covered"].astype(bool)]
        found["coverage"] = set(ran[["service_name", "file", "line"]].itertuples(index=False, name=None))
    return found


def _lines(case: AuditCase) -> dict[str, int]:
    frame = case.table("logs")
    if frame is None:
        return dict(case.lines)
    return {str(name): int(count) for name, count in frame["service_name"].value_counts().items()}


def _equal(mine: Any, usual: Any) -> bool:
    if not isinstance(mine, Mapping):
        return bool(mine == usual)
    names = {*mine, *usual}
    return all(
        abs(mine.get(name, 0) - usual.get(name, 0)) <= LINES_SHARE * max(usual.get(name, 0), 0) for name in names
    )


def _fails(case: AuditCase) -> float:
    """Lines of errors that the entry wrote, and failed answers."""
    logs, answers = case.table("logs"), case.table("api_responses")
    failed = float(case.failed().sum()) if answers is not None and "error_kind" in answers else 0.0
    if logs is None:
        return failed + sum(count for name, count in case.lines.items() if name in ENTRIES)
    return failed + float((logs["service_name"].isin(ENTRIES) & (logs["severity_number"] >= ERROR)).sum())


RULE = Rule(name="no-effect", looks_for="faults without effect", find=find)
