"""A check that somebody adds, as docs/extending.md shows, and what its answers do to the verdict."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from small_system import QUIET, Effect
from synthetic import make_case

from pytest_anomod import checks
from pytest_anomod.checks import explain, judge, run_checks
from pytest_anomod.model.verdict import Finding, Outcome, Verdict

DOCS = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture
def install(monkeypatch):
    """Offer a check as an entry point of another package."""

    def offer(check):
        entry_point = EntryPoint(name="added", value="elsewhere:added", group=checks.GROUP)
        monkeypatch.setattr(EntryPoint, "load", lambda self: check)
        monkeypatch.setattr(checks, "entry_points", lambda group: [entry_point] if group == checks.GROUP else [])
        checks._added.cache_clear()

    yield offer
    monkeypatch.undo()
    checks._added.cache_clear()


@pytest.fixture(scope="module")
def view():
    return make_case(10, effect=Effect(gone=True), noise=QUIET)


@pytest.fixture(scope="module")
def own_findings(view):
    return run_checks(view)


def finding(question, outcome):
    return Finding(check="added", question=question, outcome=outcome, message="so it is")


def test_the_check_of_the_docs_is_asked_and_leaves_the_verdict_alone(install, view):
    section = DOCS.read_text("utf-8").split("## A check\n")[1]
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", section, re.S).group(1), names)
    install(names["check_error_bodies"])
    findings = run_checks(view)
    assert findings[-1].question == "stack traces"
    assert findings[-1].message == f"0 of {len(view.frames['api_responses'])} answers show a stack trace"
    verdict = judge(view, findings)
    assert verdict is Verdict.EFFECTIVE
    assert "  stack traces: absent: 0 of" in explain(view, findings, verdict)


def test_a_check_may_have_several_findings(install, view):
    install(lambda view: [finding("one", Outcome.PROVEN), finding("two", Outcome.ABSENT)])
    assert [found.question for found in run_checks(view)][-2:] == ["one", "two"]


@pytest.mark.parametrize("broken", [lambda view: finding("added", Outcome.BROKEN), lambda view: 1 / 0])
def test_an_added_check_that_is_broken_breaks_the_case(install, view, broken):
    install(broken)
    findings = run_checks(view)
    assert judge(view, findings) is Verdict.BROKEN
    assert "> added: broken: " in explain(view, findings, Verdict.BROKEN)


@pytest.mark.parametrize(
    ("question", "outcome", "verdict"),
    [
        ("anything", Outcome.PROVEN, Verdict.EFFECTIVE),
        ("anything", Outcome.ABSENT, Verdict.EFFECTIVE),
        ("symptom", Outcome.ABSENT, Verdict.EFFECTIVE),
        ("healed", Outcome.ABSENT, Verdict.BROKEN),
        ("steady", Outcome.ABSENT, Verdict.CONTAMINATED),
        ("mechanism", Outcome.ABSENT, Verdict.INEFFECTIVE),
        ("calm", Outcome.ABSENT, Verdict.EFFECTIVE),
    ],
)
def test_what_one_more_answer_does(view, own_findings, question, outcome, verdict):
    findings = [*own_findings, finding(question, outcome)]
    assert judge(view, findings) is verdict
    if verdict is not Verdict.EFFECTIVE:
        assert f"> {question}: absent: so it is" in explain(view, findings, verdict)


def answers(own_findings, **outcomes):
    return [
        Finding(check=found.check, question=found.question, outcome=outcomes.pop(found.question, found.outcome),
                message="") for found in own_findings
    ] + [finding(question, outcome) for question, outcome in outcomes.items()]  # fmt: skip


def test_what_has_not_healed_on_a_busy_machine_is_contaminated(view, own_findings):
    absent = Outcome.ABSENT
    assert judge(view, answers(own_findings, healed=absent)) is Verdict.BROKEN
    assert judge(view, answers(own_findings, healed=absent, calm=absent)) is Verdict.CONTAMINATED
    assert judge(view, answers(own_findings, steady=absent, calm=absent)) is Verdict.CONTAMINATED


def test_a_busy_machine_is_no_excuse_for_a_fault_that_was_not_in(view, own_findings):
    findings = answers(own_findings, mechanism=Outcome.ABSENT, calm=Outcome.ABSENT)
    assert judge(view, findings) is Verdict.INEFFECTIVE


def test_of_a_control_only_what_was_found_is_marked():
    control = make_case(10, noise=QUIET)
    findings = answers(run_checks(control), impact=Outcome.PROVEN)
    assert judge(control, findings) is Verdict.CONTAMINATED
    said = explain(control, findings, Verdict.CONTAMINATED)
    assert [line[2:].split(":")[0] for line in said.splitlines() if line.startswith(">")] == ["impact"]


def test_a_question_that_was_not_asked_is_named(view, own_findings):
    findings = [found for found in own_findings if found.question != "healed"]
    assert "the question 'healed' was not asked" in explain(view, findings, judge(view, findings))
