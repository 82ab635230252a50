"""What a page says of a case: rows, the picture in them, evidence within the budget; what moved is asked for once."""

from __future__ import annotations

import base64
import dataclasses
import re

import pytest
from results import make_result
from small_system import Effect
from synthetic import make_case

from pytest_anomod.checks import ranking, run_checks
from pytest_anomod.model.verdict import Finding, Outcome, Verdict
from pytest_anomod.report import page


@pytest.fixture(scope="module")
def result():
    return make_result(effect=Effect(gone=True))


@pytest.fixture(scope="module")
def drawn(result):
    return page.draw(spoiled_before(result))


def spoiled_before(result):
    """The same case as a second attempt, on a machine that had something to say."""
    calm = Finding(check="calm", question="calm", outcome=Outcome.PROVEN, message="waited 3 % < 5 %")
    findings = (*[each for each in result.findings if each.question != "calm"], calm)
    first = dataclasses.replace(result, verdict=Verdict.CONTAMINATED)
    return dataclasses.replace(result, findings=findings, superseded=(first,))


def shown(drawn):
    """The rows of a description as Allure 2 leaves them: without tags."""
    return re.sub(r"<[^>]+>", "|", drawn.description).replace("&nbsp;", " ")


def test_the_picture_is_in_the_description_and_the_first_attachment(drawn):
    """Allure 3 shows the one; Allure 2 takes it out and shows the other."""
    (inside,) = re.findall(r"src='data:image/png;base64,([^']+)'", drawn.description)
    assert base64.b64decode(inside) == drawn.picture == drawn.attachments[0].body
    assert drawn.attachments[0].kind == "PNG"
    assert [each.kind for each in drawn.attachments].count("PNG") == 1


def test_the_picture_comes_before_the_answers(drawn):
    """Below the verdict: what a reviewer sees on opening the page."""
    said = drawn.description
    assert said.index("<b>Verdict</b>") < said.index("<img") < said.index("Was&nbsp;it&nbsp;broken?")


def test_lines_of_blocks_are_seen_only_where_styles_are_taken_out(drawn):
    (line,) = re.findall(r"<p style='display:none'>(.*?)</p>", drawn.description)
    assert line.count("<br>") == 3
    assert "anomaly, " in line


def test_circumstances_stand_below_the_verdict(drawn, result):
    """And are text, whatever is in them."""
    table = page.rows(spoiled_before(result), drawn.figures)
    assert [name for name, _ in table[:3]] == ["Verdict", "Attempt 2", "Machine"]
    assert table[1][1] == "played again by itself: attempt 1 was contaminated"
    assert "waited 3 % &lt; 5 %" in drawn.description


def test_a_case_that_replaces_one_of_an_earlier_run_says_so(drawn, result):
    """Its attempts are counted on."""
    label = dataclasses.replace(result.label, attempt=2, replaces="the-spoiled-one")
    resumed = spoiled_before(dataclasses.replace(result, label=label))
    told = dict(page.rows(resumed, drawn.figures))
    assert told["Attempt 2"] == "replaces the-spoiled-one of an earlier run, which was spoiled"
    assert told["Attempt 3"] == "played again by itself: attempt 2 was contaminated"


def test_every_question_is_answered_with_its_outcome(drawn, result):
    """In words: Allure 2 shows no colour, and some readers see none."""
    for question, title in page.QUESTIONS.items():
        (finding,) = [each for each in result.findings if each.question == question]
        assert (title, f"{finding.outcome}: {finding.message}") in page.rows(result, drawn.figures)
        assert title in shown(drawn)


def test_what_is_poor_about_a_case_is_said(result):
    """A baseline that was not steady has a row; one that was has none."""
    poor = Finding(check="steady", question="steady", outcome=Outcome.ABSENT, message="it drifts")
    findings = (*[each for each in result.findings if each.question != "steady"], poor)
    table = page.rows(dataclasses.replace(result, findings=findings), [])
    assert ("steady", "absent: it drifts") in table
    assert "steady" not in dict(page.rows(result, []))


def test_a_control_was_not_broken_anywhere():
    table = dict(page.rows(make_result(), []))
    assert table["Verdict"] == "normal (expected normal)"
    assert table["What moved most"] == "nothing"
    assert not {"What was broken", "Where"} & set(table)


def test_a_fault_in_code_says_file_and_lines(result):
    label = dataclasses.replace(
        result.label, root_cause_code_file="text.py", root_cause_code_function="Text.compose",
        root_cause_code_first_line=3, root_cause_code_last_line=9,
    )  # fmt: skip
    table = dict(page.rows(dataclasses.replace(result, label=label), []))
    assert table["Where"] == "text of synthetic, Text.compose in text.py, lines 3 to 9"
    assert table["What was broken"] == "dummy(percent=50)"
    at_three = dataclasses.replace(result, label=dataclasses.replace(result.label, severity=3))
    assert dict(page.rows(at_three, []))["What was broken"] == "dummy(percent=50), severity 3"


def test_what_moved_is_asked_for_once_a_case(monkeypatch, result):
    """It takes as long as all checks; the row and the file have it from the same answer."""
    asked = []
    fault_cut = ranking.fault_cut
    monkeypatch.setattr(ranking, "fault_cut", lambda view: asked.append(view) or fault_cut(view))
    drawn = page.draw(result)
    assert asked == [result.view]
    (table,) = [each.body.decode() for each in drawn.attachments if each.name == "What moved most"]
    first = drawn.figures[0]
    assert f"\n{first['subject']}," in table
    assert f"{first['subject']} {first['figure']}" in dict(page.rows(result, drawn.figures))["What moved most"]


def test_a_page_keeps_to_its_budget(result):
    """A journal of 2 MB is named, not held; with description and picture a page is below 1.5 MB."""
    drawn = page.draw(dataclasses.replace(result, raw_journal={"run": ["x" * 2_000_000]}))
    assert len(drawn.description) + sum(len(each.body) for each in drawn.attachments) <= page.BUDGET_BYTES
    (journal,) = [each for each in drawn.attachments if each.name.startswith("Journal")]
    assert journal.kind == "TEXT"
    assert b"see case=case-1" in journal.body


def test_a_usual_page_is_small(drawn):
    assert len(drawn.description) + sum(len(each.body) for each in drawn.attachments) < 300_000


def test_a_case_without_an_anomaly_window_is_drawn():
    """One that broke off in its baseline has nothing to compare, and a page all the same."""
    view = make_case(5, effect=Effect())
    played = view.journal.played[:1]
    timeline = dataclasses.replace(view.timeline, windows=view.timeline.windows[:2])
    view = dataclasses.replace(view, timeline=timeline, journal=dataclasses.replace(view.journal, played=played))
    result = make_result(view)
    assert run_checks(view)
    assert dict(page.rows(result, page.draw(result).figures))["What moved most"] == "nothing"


def test_a_case_without_some_modalities_is_drawn_and_says_so_in_one_line():
    """Each panel and each excerpt does without what there is not."""
    view = make_case(5, effect=Effect(errors=1.0))
    frames = {"api_responses": view.frames["api_responses"]}
    absent = {"logs": "no log", "metrics": "no page", "traces": "no span", "coverage": "no agent"}
    drawn = page.draw(make_result(dataclasses.replace(view, frames=frames, absent=absent)))
    assert "Not there|" in shown(drawn)
    assert "logs: no log; metrics: no page; traces: no span; coverage: no agent" in shown(drawn)
    texts = [each.body.decode() for each in drawn.attachments if each.kind == "TEXT"]
    assert {f"no {name}: {why}\n" for name, why in absent.items() if name != "metrics"} <= set(texts)
    assert "not_asked: " in shown(drawn)
