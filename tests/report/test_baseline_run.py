"""A run with a baseline: what is as it was is expected, what changed fails in one line, and an update writes it."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET

import pytest
from results import judged, make_result
from small_system import Effect
from staging import run_pytest, write_tests

from pytest_anomod.model.verdict import Verdict
from pytest_anomod.report.categories import categories

BODIES = {
    "test_kept": "case.run()",
    "test_own_words": "assert case.run().verdict == 'effective'",
    "test_changed": "case.run()",
    "test_better": "assert case.run().verdict == 'effective'",
    "test_spoiled": "case.run()",
    "test_new": "case.run()",
    "test_good": "case.run()",
    "test_bug": "case.run(); raise KeyError('mine')",
    "test_own_failure": "case.run(); assert 0, 'too slow'",
}
VERDICTS = {
    "test_kept": "tolerated", "test_own_words": "tolerated", "test_changed": "silent", "test_better": "effective",
    "test_spoiled": "contaminated", "test_new": "tolerated", "test_good": "effective", "test_bug": "tolerated",
    "test_own_failure": "effective",
}  # fmt: skip
BEFORE = {
    "test_kept": {"verdict": "tolerated", "why": "retries, ticket 7"}, "test_own_words": "tolerated",
    "test_changed": "tolerated", "test_better": "tolerated", "test_spoiled": "tolerated", "test_good": "effective",
    "test_bug": "tolerated", "test_own_failure": "effective", "test_gone": "silent",
}  # fmt: skip
OUTCOMES = {
    "test_kept": "XFAIL", "test_own_words": "XFAIL", "test_changed": "FAILED", "test_better": "FAILED",
    "test_spoiled": "FAILED", "test_new": "FAILED", "test_good": "PASSED", "test_bug": "FAILED",
    "test_own_failure": "FAILED",
}  # fmt: skip

GONE = r"entries of tests that do not exist any more \(remove them, .*\): test_staged\.py::test_gone"


@pytest.fixture(scope="module")
def good():
    return make_result(effect=Effect(gone=True))


@pytest.fixture(scope="module")
def project(tmp_path_factory, good):
    directory = tmp_path_factory.mktemp("project")
    staged = {name: judged(good, Verdict(VERDICTS[name]), "effective") for name in BODIES}
    for name, result in staged.items():
        scenario = dataclasses.replace(result.scenario, name=name.removeprefix("test_"))
        staged[name] = dataclasses.replace(result, view=dataclasses.replace(result.view, scenario=scenario))
    write_tests(directory, BODIES, staged)
    return directory


def write(directory, verdicts, name="chaos.json"):
    keys = {f"test_staged.py::{test}": entry for test, entry in verdicts.items()}
    (directory / name).write_text(json.dumps({"format": 1, "verdicts": keys}))


def outcomes(done):
    """Outcome by test, of a run with -v, with workers or without."""
    found = re.findall(r"(PASSED|FAILED|XFAIL|ERROR) test_staged\.py::(\w+)", done.stdout)
    found += [(each, name) for name, each in re.findall(r"test_staged\.py::(\w+) (PASSED|FAILED|XFAIL)", done.stdout)]
    return {name: each for each, name in found}


@pytest.fixture(scope="module")
def compared(project):
    """Whose words are those of a run with workers."""
    write(project, BEFORE)
    words = ("--anomod-baseline=chaos.json", "--anomod-report=report", "--alluredir=allure", "--junitxml=junit.xml")
    return run_pytest(project, "-n2", "-v", "-rx", *words)


def test_each_test_comes_to_what_it_should(compared):
    assert outcomes(compared) == OUTCOMES, compared.stdout
    assert compared.returncode == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("name", "change"),
    [("changed", "was tolerated, is now silent"), ("better", "was tolerated, is now effective"),
     ("spoiled", "was tolerated, is now contaminated")],
)  # fmt: skip
def test_a_change_is_told_in_one_line(compared, name, change):
    """With the evidence below, but without the assertion that the test made of it."""
    section = compared.stdout.partition(f"_ test_{name} _")[2].partition("\n_____")[0]
    first = next(line for line in section.splitlines()[1:] if line and not line.startswith("[gw"))
    assert re.fullmatch(
        rf"\w+ \(dummy in text\): {change}; the baseline is chaos.json: .* --anomod-baseline-update", first
    )
    assert "mechanism: proven" in section
    assert "AssertionError" not in section


def test_an_expected_failure_says_why(compared):
    why = "tolerated as in the baseline, expected effective"
    assert re.search(f"XFAIL .*test_kept - {why}: retries, ticket 7$", compared.stdout, re.M)
    assert re.search(f"XFAIL .*test_own_words - {why}$", compared.stdout, re.M)


def test_the_table_and_the_report_name_the_baseline(compared, project):
    assert "(expected effective)  (in the baseline tolerated)" in compared.stdout
    page = (project / "report" / "index.html").read_text("utf-8")
    assert page.count('data-state="known"') == 2
    assert "tolerated as in the baseline, expected effective: retries, ticket 7" in page
    assert "baseline: tolerated" in page


def test_allure_puts_changes_into_a_category_of_their_own(compared, project):
    assert compared.returncode
    found = [json.loads(path.read_text()) for path in (project / "allure").glob("*-result.json")]
    messages = {each["name"]: each["statusDetails"]["message"] for each in found if each["status"] == "failed"}
    rules = [rule for rule in categories() if "messageRegex" in rule]
    named = {
        name: [rule["name"] for rule in rules if re.fullmatch(rule["messageRegex"], message)]
        for name, message in messages.items()
    }
    for name in ("changed", "better", "spoiled"):
        (names,) = [names for title, names in named.items() if title.startswith(name)]
        assert names == ["Changed against the baseline"]
    assert all(len(names) == 1 for names in named.values())


def test_junit_xml_has_the_baseline_and_the_reason(compared, project):
    cases = {case.get("name"): case for case in ET.parse(project / "junit.xml").iter("testcase")}
    properties = {each.get("name"): each.get("value") for each in cases["test_changed"].iter("property")}
    assert (properties["anomod_verdict"], properties["anomod_baseline"]) == ("silent", "tolerated")
    (skipped,) = cases["test_kept"].iter("skipped")
    assert skipped.get("type") == "pytest.xfail"
    assert skipped.get("message").startswith("tolerated as in the baseline")


def test_entries_without_a_test_and_tests_without_an_entry_are_told(compared):
    assert compared.stdout.count("test_gone") == 1
    for sentence in (GONE, r"tests without an entry \(.* adds them\): test_staged\.py::test_new"):
        assert re.search(rf"baseline chaos\.json: {sentence}$", compared.stdout, re.M)


def test_without_workers_it_is_the_same(project):
    write(project, BEFORE)
    done = run_pytest(project, "-v", "--anomod-baseline=chaos.json", "-k", "kept or better or new")
    assert outcomes(done) == {name: OUTCOMES[name] for name in ("test_kept", "test_better", "test_new")}
    assert re.search(GONE, done.stdout)


def test_an_expected_failure_can_be_run_as_any_other(project):
    """pytest's own --runxfail."""
    write(project, BEFORE)
    done = run_pytest(project, "-v", "--runxfail", "--anomod-baseline=chaos.json", "-k", "kept or own_words")
    assert outcomes(done) == {"test_kept": "FAILED", "test_own_words": "FAILED"}


def test_an_update_writes_what_was_seen(project):
    """Reasons stay with their verdict; verdicts that say nothing, and tests that did not run, leave entries alone."""
    write(project, BEFORE, "updated.json")
    done = run_pytest(
        project, "-n2", "-v", "--anomod-baseline=updated.json", "--anomod-baseline-update", "--deselect",
        "test_staged.py::test_good",
    )  # fmt: skip
    found = json.loads((project / "updated.json").read_text())["verdicts"]
    wanted = {name: verdict for name, verdict in VERDICTS.items() if name != "test_spoiled"}
    wanted |= {"test_kept": BEFORE["test_kept"], "test_spoiled": "tolerated"}
    assert found == {f"test_staged.py::{name}": entry for name, entry in wanted.items()}
    assert list(found) == sorted(found)
    assert outcomes(done) == {
        "test_kept": "XFAIL", "test_own_words": "XFAIL", "test_changed": "XFAIL", "test_better": "PASSED",
        "test_spoiled": "FAILED", "test_new": "XFAIL", "test_bug": "FAILED", "test_own_failure": "FAILED",
    }  # fmt: skip
    assert "updated.json: wrote 9 verdicts" in done.stdout
    assert "left out: test_staged.py::test_spoiled was contaminated, which says nothing of the system" in done.stdout


def test_repetitions_are_one_test(tmp_path, good):
    """Parametrized or not; what they don't agree on is not written."""
    more = '@pytest.mark.parametrize("r", ["a-r1", "r1"])\n@declared\ndef test_many(case, r):\n    case.run()\n'
    staged = {name: dataclasses.replace(good, verdict=Verdict.TOLERATED) for name in ("test_many", "test_one")}
    write_tests(tmp_path, {"test_one": "case.run()"}, staged, more=more)
    words = ("--anomod-repeat=2", "--anomod-baseline=new.json")
    done = run_pytest(tmp_path, *words, "--anomod-baseline-update")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    wanted = {f"test_staged.py::{key}": "tolerated" for key in ("test_many[a-r1]", "test_many[r1]", "test_one")}
    assert json.loads((tmp_path / "new.json").read_text())["verdicts"] == wanted
    done = run_pytest(tmp_path, *words)
    assert re.search("6 xfailed", done.stdout), done.stdout
    assert "baseline new.json:" not in done.stdout


def test_a_baseline_that_cannot_be_written_is_told_at_the_end(tmp_path, good):
    write_tests(tmp_path, {"test_one": "case.run(); os.rmdir('there')"}, {"test_one": good})
    (tmp_path / "there").mkdir()
    done = run_pytest(tmp_path, "--anomod-baseline=there/new.json", "--anomod-baseline-update")
    assert done.returncode == pytest.ExitCode.INTERNAL_ERROR
    assert re.search(r"1 passed", done.stdout)
    assert re.search(r"baseline there/new\.json: not written: .*No such file or directory", done.stdout)
