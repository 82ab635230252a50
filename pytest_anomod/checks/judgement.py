"""Turns findings into a verdict by a table of rules, and explains the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

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

QUESTIONS = ("complete", "aligned", "calm", "steady", "mechanism", "symptom", "impact", "healed")
"""What every case must be asked. Further questions are reported; they decide only where a rule names them."""

EITHER = ("symptom", "impact")
"""Questions that one proven finding proves, whatever others did not find (of each fault, where there are several); all
others need every finding proven."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The findings of a case, by question; a question may have several findings."""

    findings: Sequence[Finding]
    control: bool
    injected: bool
    unseen: bool
    """A fault was put in, and nothing proves that it was in; others may not have been put in at all."""
    too_busy: bool
    """The machine was too busy for the case to be played to its end."""

    def asked(self, question: str) -> bool:
        """Whether there is a finding on the question."""
        return any(found.question == question for found in self.findings)

    def proven(self, question: str) -> bool:
        """Whether the question could be asked and is proven."""
        answers: dict[int, list[bool]] = {}
        for finding in self._asked(question):
            answers.setdefault(finding.fault, []).append(finding.outcome is Outcome.PROVEN)
        enough = any if question in EITHER else all
        return bool(answers) and all(map(enough, answers.values()))

    @property
    def compound(self) -> bool:
        """Whether there are several faults."""
        return any(finding.fault > 1 for finding in self.findings)

    def some(self, question: str) -> bool:
        """Whether the question is proven of any fault."""
        return any(finding.outcome is Outcome.PROVEN for finding in self._asked(question))

    def failed(self, question: str) -> bool:
        """Whether the question could be asked and is not proven."""
        return bool(self._asked(question)) and not self.proven(question)

    def _asked(self, question: str) -> list[Finding]:
        """A question's findings, without those that could not be asked."""
        found = [finding for finding in self.findings if finding.question == question]
        return [finding for finding in found if finding.outcome is not Outcome.NOT_ASKED]

    @property
    def broken(self) -> list[str]:
        """Questions with a broken finding, an added check's too: it never leads to a valid case."""
        return [found.question for found in self.findings if found.outcome is Outcome.BROKEN]

    @property
    def unasked(self) -> list[str]:
        """Questions that every case must be asked and this one was not."""
        return [question for question in QUESTIONS if not self.asked(question)]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A verdict and when it fits; for the explanation `because` names the questions whose `answer` decided."""

    verdict: Verdict
    when: Callable[[Answers], bool]
    because: tuple[str, ...] = ()
    answer: Outcome = Outcome.ABSENT
    remark: str = ""
    meaning: str = ""
    """What it means here, where that is not what the verdict means elsewhere (MEANING)."""

    def decided(self, finding: Finding) -> bool:
        """Whether a finding is one that the rule rests on."""
        answers = {self.answer, Outcome.NOT_ASKED} if self.answer is Outcome.ABSENT else {self.answer}
        return finding.question in self.because and finding.outcome in answers


RULES = (
    # nothing was put in: there is nothing to judge
    Rule(verdict=Verdict.CONTAMINATED, because=("calm",), when=lambda case: case.too_busy and not case.injected),
    Rule(verdict=Verdict.BROKEN, when=lambda case: bool(case.broken or case.unasked)),
    Rule(verdict=Verdict.BROKEN, because=("complete", "aligned"),
         when=lambda case: case.failed("aligned") or (case.failed("complete") and not case.failed("calm"))),
    # however busy the machine was: a calm one would not have shown a fault that was not in
    Rule(verdict=Verdict.INEFFECTIVE, because=("mechanism",), when=lambda case: case.unseen),
    Rule(verdict=Verdict.CONTAMINATED, because=("calm",), when=lambda case: case.too_busy),
    # rows that a busy machine lost, and requests that it held up, may be there on a calm one
    Rule(verdict=Verdict.CONTAMINATED, because=("calm", "complete"), when=lambda case: case.failed("complete")),
    Rule(verdict=Verdict.INEFFECTIVE, because=("mechanism",),
         when=lambda case: case.injected and not case.proven("mechanism")),
    Rule(verdict=Verdict.CONTAMINATED, because=("steady",), when=lambda case: case.failed("steady")),
    Rule(verdict=Verdict.CONTAMINATED, because=("symptom", "impact"), answer=Outcome.PROVEN,
         when=lambda case: case.control and (case.proven("symptom") or case.proven("impact"))),
    Rule(verdict=Verdict.NORMAL, when=lambda case: case.control),
    Rule(verdict=Verdict.INEFFECTIVE, because=("mechanism",), when=lambda case: not case.proven("mechanism")),
    # a system that does not heal on a busy machine may heal on a calm one
    Rule(verdict=Verdict.CONTAMINATED, because=("calm", "healed"),
         when=lambda case: case.failed("healed") and case.failed("calm")),
    Rule(verdict=Verdict.BROKEN, because=("healed",), when=lambda case: case.failed("healed")),
    Rule(verdict=Verdict.EFFECTIVE, when=lambda case: case.proven("symptom") and case.proven("impact")),
    Rule(verdict=Verdict.EFFECTIVE, because=("symptom",), answer=Outcome.NOT_ASKED,
         when=lambda case: case.proven("impact") and not case.failed("symptom"),
         meaning="the fault was in, users felt it, and all healed; nothing tells how the target itself answered"),
    # an effect that did not show on a busy machine may show on a calm one
    Rule(verdict=Verdict.CONTAMINATED, because=("calm",),
         when=lambda case: case.failed("calm") and not case.proven("impact")),
    Rule(verdict=Verdict.TOLERATED, because=("impact",), when=lambda case: case.proven("symptom")),
    Rule(verdict=Verdict.TOLERATED, because=("symptom", "impact"),
         when=lambda case: case.compound and case.some("symptom"),
         meaning="all faults were in, but not each of them showed, or was felt"),
    # users were affected while the target showed nothing: the label would name the wrong service
    Rule(verdict=Verdict.CONTAMINATED, because=("impact",), answer=Outcome.PROVEN,
         when=lambda case: case.proven("impact"),
         remark="users were hit, yet the target shows nothing: something else may have hit them"),
    Rule(verdict=Verdict.SILENT, because=("symptom", "impact"), when=lambda case: True),
)  # fmt: skip
"""The first rule that fits gives the verdict."""


def judge(view: CaseView, findings: Sequence[Finding]) -> Verdict:
    """The verdict that the findings add up to; a question without an answer counts as broken."""
    return _rule(view, findings).verdict


def explain(view: CaseView, findings: Sequence[Finding], verdict: Verdict) -> str:
    """The verdict and, per question, what was found with its numbers; what decided the verdict is marked with >."""
    scenario = view.scenario
    lines = [f"{scenario.name} ({scenario.what}): {verdict}, expected {scenario.expects}"]
    rule, answers = _rule(view, findings), _answers(view, findings)
    decided = rule.decided if rule.verdict is verdict else lambda finding: False
    lines.append(f"  {(rule.verdict is verdict and rule.meaning) or MEANING[verdict]}")
    if rule.verdict is verdict and rule.remark:
        lines.append(f"  {rule.remark}")
    lines += [f"  no {name}: {why}" for name, why in view.absent.items()]
    lines += [f"  the question {question!r} was not asked" for question in answers.unasked]
    for finding in findings:
        mark = ">" if decided(finding) or finding.outcome is Outcome.BROKEN else " "
        whose = f" of fault {finding.fault}" if finding.fault else ""
        lines.append(f"{mark} {finding.question}{whose}: {finding.outcome}: {finding.message}")
    return "\n".join(lines)


def _rule(view: CaseView, findings: Sequence[Finding]) -> Rule:
    answers = _answers(view, findings)
    return next(rule for rule in RULES if rule.when(answers))


def _answers(view: CaseView, findings: Sequence[Finding]) -> Answers:
    unproven = {one.fault for one in findings if one.question == "mechanism" and one.outcome is not Outcome.PROVEN}
    put_in = [one.journal.activity(names.INJECT) is not None for one in view.each]
    return Answers(
        findings=findings,
        control=view.scenario.is_control,
        injected=view.journal.activity(names.INJECT) is not None,
        unseen=any(put_in[max(0, number - 1)] for number in unproven),
        too_busy=bool(view.journal.too_busy),
    )
