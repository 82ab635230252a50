"""From findings to a verdict, and the verdict in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_anomod.model import journal as names
from pytest_anomod.model.verdict import CaseView, Finding, Outcome, Verdict

MEANING = {
    Verdict.EFFECTIVE: "the fault was in, its target showed it, users felt it, and all healed",
    Verdict.TOLERATED: "the fault was in and its target showed it, but no user felt it",
    Verdict.SILENT: "the fault was in, but nothing moved in any modality",
    Verdict.INEFFECTIVE: "nothing proves that the fault was ever in",
    Verdict.CONTAMINATED: "something else was going on: the case says nothing about its fault",
    Verdict.BROKEN: "the case itself failed: what it holds can't be relied on",
    Verdict.NORMAL: "nothing was done, and nothing moved",
}


def judge(view: CaseView, findings: Sequence[Finding]) -> Verdict:
    """The verdict that the findings add up to; a question without an answer counts as broken."""
    if view.journal.too_busy:
        return Verdict.CONTAMINATED
    if any(finding.outcome is Outcome.BROKEN for finding in findings):
        return Verdict.BROKEN
    proven = {finding.question for finding in findings if finding.outcome is Outcome.PROVEN}
    asked = {finding.question for finding in findings}
    if asked != {"complete", "aligned", "calm", "steady", "mechanism", "symptom", "impact", "healed"}:
        return Verdict.BROKEN
    if not {"complete", "aligned"} <= proven:
        return Verdict.BROKEN
    if "mechanism" not in proven and view.journal.activity(names.INJECT) is not None:
        # whatever the machine did meanwhile: a calmer one would not have shown a fault that was not in
        return Verdict.INEFFECTIVE
    if "steady" not in proven:
        return Verdict.CONTAMINATED
    if view.scenario.is_control:
        return Verdict.CONTAMINATED if {"symptom", "impact"} & proven else Verdict.NORMAL
    if "mechanism" not in proven:
        return Verdict.INEFFECTIVE
    if "healed" not in proven:
        return Verdict.BROKEN if "calm" in proven else Verdict.CONTAMINATED
    if "symptom" in proven:
        return Verdict.EFFECTIVE if "impact" in proven else Verdict.TOLERATED
    # users were hit while the target showed nothing: the label would name the wrong service
    return Verdict.CONTAMINATED if "impact" in proven else Verdict.SILENT


def explain(view: CaseView, findings: Sequence[Finding], verdict: Verdict) -> str:
    """The verdict and, per question, what was found with its numbers; what decided the verdict is marked with >."""
    scenario = view.scenario
    lines = [f"{scenario.name} ({scenario.fault.name} in {scenario.target}): {verdict}, expected {scenario.expects}"]
    lines.append(f"  {MEANING[verdict]}")
    if verdict is Verdict.CONTAMINATED and _found(findings, "steady") and not scenario.is_control:
        lines.append("  users were hit, yet the target shows nothing: something else may have hit them")
    decisive = set(_decisive(findings, verdict))
    for finding in findings:
        mark = ">" if finding.question in decisive else " "
        lines.append(f"{mark} {finding.question}: {finding.outcome}: {finding.message}")
    return "\n".join(lines)


def _decisive(findings: Sequence[Finding], verdict: Verdict) -> Iterable[str]:
    """The questions whose answers made the verdict what it is."""
    if verdict is Verdict.BROKEN:
        broken = [finding.question for finding in findings if finding.outcome is Outcome.BROKEN]
        return broken or [finding.question for finding in findings if finding.outcome is Outcome.ABSENT]
    if verdict is Verdict.CONTAMINATED:
        if not _found(findings, "calm"):
            return ["calm"]
        if not _found(findings, "steady"):
            return ["steady"]
        return [question for question in ("symptom", "impact") if _found(findings, question)]
    return {
        Verdict.INEFFECTIVE: ["mechanism"],
        Verdict.SILENT: ["symptom", "impact"],
        Verdict.TOLERATED: ["impact"],
    }.get(verdict, [])


def _found(findings: Sequence[Finding], question: str) -> bool:
    return any(finding.question == question and finding.outcome is Outcome.PROVEN for finding in findings)
