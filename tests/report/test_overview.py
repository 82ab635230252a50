"""The HTML report: all that a run has to say on one page, from workers too, with nothing from outside and no secret."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import pytest
from results import judged, make_result
from small_system import Effect
from staging import run_pytest, write_tests

from pytest_anomod.model.errors import CaptureError, ScenarioError
from pytest_anomod.model.verdict import Finding, Outcome, Verdict
from pytest_anomod.report import overview

HOSTILE = "</pre></td><script>alert('x')</script><img src=x onerror=alert(1)>&lt;"
SECRET = "hunter2swordfish"
MORE = f"""
@pytest.mark.parametrize("word", ["<script>alert(2)</script>"])
def test_hostile_name(word):
    raise ValueError("first \\x1b[31mline\\nsecond: password={SECRET} {HOSTILE.replace("'", "")}")

def test_ordinary():
    pass

@pytest.mark.skip(reason="not <b>today</b>")
def test_skipped():
    pass
"""
BODIES = {
    "test_passes": "case.run()",
    "test_tolerates": "case.run()",
    "test_again": "case.run()",
    "test_own_assertion": f"case.run(); assert 0, 'own words, password={SECRET}'",
    "test_no_case": "case.run()",
    "test_expected": "case.run(); pytest.xfail('some <i>day</i>')",
}
VOID = {"meta", "img", "br", "input", "link"}


class Page(html.parser.HTMLParser):
    """A page as a browser reads it; elements must be closed in the order in which they were opened."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    def all(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]

    @property
    def said(self):
        return " ".join("".join(self.text).split())


@dataclasses.dataclass(frozen=True)
class Played:
    """A run and its report."""

    directory: Path
    output: str

    @property
    def html(self):
        return (self.directory / "report" / "index.html").read_text(encoding="utf-8")

    @property
    def page(self):
        return Page(self.html)


def stage(directory):
    """A case for each test, in a directory of its own."""
    good = make_result(effect=Effect(gone=True))
    staged = {name: named(good, directory, name) for name in BODIES}
    staged["test_tolerates"] = judged(staged["test_tolerates"], Verdict.TOLERATED, "effective")
    again = staged["test_again"]
    findings = [each for each in again.findings if each.question != "impact"]
    wicked = Finding(check="impact", question="impact", outcome=Outcome.PROVEN, message=f"{HOSTILE} token={SECRET}")
    own = Finding(check="mine", question="budget", outcome=Outcome.ABSENT, message="spent")
    first = dataclasses.replace(named(good, directory, "first"), verdict=Verdict.CONTAMINATED)
    label = dataclasses.replace(again.label, attempt=2)
    again = dataclasses.replace(again, findings=(*findings, wicked, own), superseded=(first,), label=label)
    return staged | {"test_again": again, "test_no_case": CaptureError("the logs collector has no record")}


def named(result, directory, name):
    """The same case under another name, with a directory."""
    place = directory / "anomod-dataset" / "system=a%20b" / f"case={name}"
    scenario = dataclasses.replace(result.scenario, name=name.removeprefix("test_"))
    view = dataclasses.replace(result.view, case_id=f"id-{name}", scenario=scenario)
    label = dataclasses.replace(result.label, attempt=1)
    return dataclasses.replace(result, view=view, directory=place, label=label)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A run with workers, with both reports and JUnit XML."""
    directory = tmp_path_factory.mktemp("played")
    write_tests(directory, BODIES, stage(directory), more=MORE)
    (directory / "test_unreadable.py").write_text("import no_such_module\n")
    words = ("-n2", "--anomod-report=report", "--alluredir=allure", "--junitxml=junit.xml")
    done = run_pytest(directory, *words, "--continue-on-collection-errors")
    assert re.search(r"4 failed, 3 passed, 1 skipped, 1 xfailed, 1 error", done.stdout), done.stdout + done.stderr
    return Played(directory, done.stdout)


def test_the_page_counts_what_there_was(played):
    said = "6 cases: 2 as expected, 3 not as expected, 1 expected failure, 2 failed without a case"
    assert said in played.page.said
    assert f"report: {played.directory}/report/index.html" in played.output
    assert "has not ended" not in played.page.said


def rows(played):
    """The matrix: by scenario, what stands below each heading."""
    table = played.html.partition("<tbody")[2].partition("</tbody>")[0]
    found = {}
    for row in table.split("</tr>")[:-1]:
        first, *cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        names = re.findall(r'data-is="([^"]+)"', row)
        name = re.search(r"<a[^>]*>([^<]+)<", row)[1]
        assert first.startswith(name)
        cells = dict(zip(names, cells, strict=True))
        found[name if cells["verdict"] != "none" else "without a verdict"] = cells
    return found


def test_the_matrix_says_of_each_case_what_it_found(played):
    table = rows(played)
    passes = table["passes"]
    assert passes["test"] == "✓ passed"
    assert (passes["verdict"], passes["expected"], passes["attempts"]) == ("effective", "effective", "1")
    assert {passes[question] for question in ("mechanism", "symptom", "impact", "healed")} == {"✓ yes"}
    assert table["tolerates"]["test"] == "✗ failed"
    assert table["tolerates"]["verdict"] == "tolerated"
    assert table["expected"]["test"] == "≈ xfailed"
    assert table["again"]["attempts"] == "2"
    assert (passes["other checks"], table["again"]["other checks"]) == ("✓ yes", "budget – no")
    assert table["without a verdict"]["other checks"] == "·"
    assert table["without a verdict"]["test"] == "✗ failed"


def test_what_is_not_as_expected_stands_first(played):
    states = re.findall(r'data-state="(\w+)"', played.html)
    assert states == sorted(states, key=lambda state: state != "bad")
    first = played.page.said.partition("Look here first")[2].partition("Cases")[0]
    assert "tolerates: tolerates (dummy in text): tolerated, expected effective" in first
    assert "own_assertion: AssertionError: own words, password=[redacted]" in first


def test_a_failure_without_a_case_is_one_line_and_then_all(played):
    summaries = re.findall(r"<summary><code>(.*?)</summary>", played.html)
    assert any("test_unreadable.py</code> (collection): " in line and "no_such_module" in line for line in summaries)
    (line,) = [line for line in summaries if "test_hostile_name" in line]
    assert line.endswith("</code>: ValueError: first line")
    assert "def test_hostile_name(word):" in played.page.said


def test_a_skipped_test_says_why(played):
    assert "test_staged.py::test_skipped: not <b>today</b>" in played.page.said


def test_what_tests_say_stays_text(played):
    """Names, messages and reasons can't become elements."""
    page = played.page
    assert len(page.all("script", "src")) == 0
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert {"i", "u"}.isdisjoint(tag for tag, _ in page.tags)
    for text in (HOSTILE, "<script>alert(2)</script>", "some <i>day</i>"):
        assert text in page.said


def test_no_secret_is_in_any_file(played):
    for path in (played.directory / "report").rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    assert "token=[redacted]" in played.page.said


def test_nothing_is_asked_of_a_network(played):
    page = played.page
    links = [*page.all("a", "href"), *page.all("img", "src")]
    assert len(links) > 20
    assert not page.all("link", "href")
    assert not re.search(r"url\(|@import|https?:", played.html.partition("<body>")[0])
    assert [link for link in links if re.match(r"\w+:|//|/", link)] == []


def test_every_link_leads_somewhere(played):
    """To a place on the page, to a file beside it, or to the directory of a case."""
    page = played.page
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.all("a", "href"):
        if link.startswith("#"):
            assert link[1:] in ids
        elif link.startswith("../"):
            place = (played.directory / "report" / unquote(link)).resolve()
            assert place.parent == played.directory / "anomod-dataset" / "system=a%20b"
        else:
            assert (played.directory / "report" / link).is_file(), link
    assert "../anomod-dataset/system%3Da%2520b/case%3Dtest_passes" in page.all("a", "href")


def test_a_case_has_its_picture_its_answers_and_its_samples(played):
    page, directory = played.page, played.directory / "report" / "cases" / "id-test-passes"
    assert page.all("img", "src").count("cases/id-test-passes/picture.png") == 1
    assert (directory / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert page.all("img", "src").count("cases/id-test-passes/how-it-spread.svg") == 1
    assert {path.suffix for path in directory.iterdir()} == {".png", ".svg", ".txt", ".csv", ".json"}
    assert json.loads((directory / "label.json").read_text())["case_id"] == "case-1"
    for text in ("Was it broken?", "Did it matter to users?", "Did it heal?", "Wheretext of synthetic"):
        assert text in page.said
    assert "attempt 1, contaminated" in page.said


def test_both_reports_show_the_same_drawing(played):
    """It is made once."""
    pictures = {path.read_bytes() for path in (played.directory / "allure").glob("*.png")}
    assert len(pictures) == 5
    assert {path.read_bytes() for path in (played.directory / "report").rglob("picture.png")} == pictures


def test_a_case_takes_little_room(played):
    for directory in (played.directory / "report" / "cases").iterdir():
        assert sum(path.stat().st_size for path in directory.iterdir()) < 300_000
    assert len(played.html) < 100_000


def test_headlines_are_in_junit_xml_with_workers_too(played):
    cases = {case.get("name"): case for case in ET.parse(played.directory / "junit.xml").iter("testcase")}
    for name, verdict in {"test_passes": "effective", "test_tolerates": "tolerated", "test_no_case": "none"}.items():
        found = [(each.get("name"), each.get("value")) for each in cases[name].iter("property")]
        assert dict(found)["anomod_verdict"] == verdict
        assert len(found) == len(dict(found))
    assert list(cases["test_ordinary"].iter("property")) == []
    (impact,) = [each for each in cases["test_again"].iter("property") if each.get("name") == "anomod_impact"]
    assert impact.get("value") == f"{HOSTILE} token=[redacted]"


def test_every_property_is_in_the_docs(played):
    text = (Path(__file__).parents[2] / "docs" / "ci.md").read_text(encoding="utf-8")
    written = {each.get("name") for each in ET.parse(played.directory / "junit.xml").iter("property")}
    assert written - {"anomod_budget"} == set(re.findall(r"`(anomod_\w+[a-z])`", text)) - {"anomod_baseline"}


@pytest.mark.parametrize(("end", "code"), [("os._exit(9)", 9), ("raise KeyboardInterrupt", 2)])
def test_a_run_that_is_ended_leaves_what_there_is(tmp_path, end, code):
    bodies = {"test_passes": "case.run()", "test_z": end}
    good = make_result(effect=Effect(gone=True))
    write_tests(tmp_path, bodies, {name: named(good, tmp_path, name) for name in bodies})
    assert run_pytest(tmp_path, "--anomod-report=report").returncode == code
    page = Played(tmp_path, "").page
    assert "This run has not ended, or was interrupted" in page.said
    assert "1 case: 1 as expected" in page.said
    assert (tmp_path / "report" / page.all("img", "src")[0]).is_file()


def test_files_that_stayed_on_another_machine_are_not_shown(tmp_path):
    kept = {"files": [("The case at a glance", "cases/a/picture.png"), ("Label", "cases/a/label.json")]}
    tested = overview.Tested(nodeid="a", outcome="passed", headline={"anomod_scenario": "s"}, seconds=1, kept=kept)
    overview.write_overview(tmp_path, overview.Run(tested=[tested]))
    page = Page((tmp_path / "index.html").read_text("utf-8"))
    assert page.all("img", "src") == []
    assert "Label" not in page.said


def test_a_new_report_replaces_an_old_one_and_nothing_else(tmp_path):
    overview.begin(tmp_path / "report")
    overview.write_overview(tmp_path / "report", overview.Run(finished=True))
    (tmp_path / "report" / "cases" / "old").mkdir(parents=True)
    (tmp_path / "report" / "mine.txt").write_text("mine")
    overview.begin(tmp_path / "report")
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["index.html", "mine.txt"]
    (tmp_path / "index.html").write_text("<html>mine</html>")
    with pytest.raises(ScenarioError, match=r"index\.html is no report of ours.*name another directory"):
        overview.begin(tmp_path)


def test_a_directory_that_cannot_be_had_is_a_usage_error(pytester):
    pytester.makepyfile("def test_it(): pass")
    (pytester.path / "taken").write_text("mine")
    result = pytester.runpytest("--anomod-report=taken")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --anomod-report=taken: *taken can't hold a report*name a directory*"])


def test_a_report_that_cannot_be_written_is_told_at_the_end(pytester):
    """And changes the exit code, but no outcome."""
    pytester.makepyfile("import os\ndef test_it():\n    os.rmdir('report'); open('report', 'w').close()\n")
    result = pytester.runpytest("--anomod-report=report")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["the report was not written: *Not a directory*"])


def test_long_texts_are_cut_in_the_middle():
    said = overview.clean("a" * 50_000 + "end")
    assert len(said) < 21_000
    assert said.endswith("end")
    assert "[... 30003 characters ...]" in said


def test_a_text_of_odd_characters_can_be_written(tmp_path):
    """Lone surrogates and null bytes come from broken output of programs."""
    odd = overview.Failed(nodeid="a\x00b", when="call", line="\ud800 and \x00\x1b[1mbold\x1b[0m", text="")
    run = overview.Run(failures=[odd])
    overview.write_overview(tmp_path, run)
    assert "ab: and bold" in Page((tmp_path / "index.html").read_text("utf-8")).said
