"""A run with a baseline: what is as it was is expected, what changed fails in one line, and an update writes it."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from results import judged, make_result
from small_system import Effect
from staging import run_pytest, write_tests

from pytest_anomod.model.verdict import Verdict

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


@pytest.fixture(scope="module")
def good():
    return make_result(effect=Effect(gone=True))


@pytest.fixture(scope="module")
def project(tmp_path_factory, good):
    directory = tmp_path_factory.mktemp("project")
    write_tests(directory, BODIES, {name: judged(good, Verdict(VERDICTS[name]), "effective") for name in BODIES})
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
    return run_pytest(project, "-n2", "-v", "-rx", "--anomod-baseline=chaos.json", "--anomod-report=report")


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
    assert re.search(
        r"XFAIL .*test_kept - tolerated as in the baseline, expected effective: retries, ticket 7", compared.stdout
    )
    assert re.search(
        r"XFAIL .*test_own_words - tolerated as in the baseline, expected effective$", compared.stdout, re.M
    )


def test_the_table_and_the_report_name_the_baseline(compared, project):
    assert "(expected effective)  (in the baseline tolerated)" in compared.stdout
    page = (project / "report" / "index.html").read_text("utf-8")
    assert page.count('data-state="known"') == 2
    assert "tolerated as in the baseline, expected effective: retries, ticket 7" in page
    assert "baseline: tolerated" in page


def test_entries_without_a_test_and_tests_without_an_entry_are_told(compared):
    assert compared.stdout.count("test_gone") == 1
    assert re.search(
        r"chaos\.json: entries of tests that do not exist any more \(remove them, .*\): test_staged\.py::test_gone$",
        compared.stdout, re.M,
    )  # fmt: skip
    assert re.search(
        r"chaos\.json: tests without an entry \(.* adds them\): test_staged\.py::test_new$", compared.stdout, re.M
    )


def test_without_workers_it_is_the_same(project):
    write(project, BEFORE)
    done = run_pytest(project, "-v", "--anomod-baseline=chaos.json", "-k", "kept or better or new")
    assert outcomes(done) == {name: OUTCOMES[name] for name in ("test_kept", "test_better", "test_new")}
    assert (
        "not exist any more (remove them, or run --anomod-baseline-update): test_staged.py::test_gone\n" in done.stdout
    )


def test_an_expected_failure_can_be_run_as_any_other(project):
    """pytest's own --runxfail."""
    write(project, BEFORE)
    done = run_pytest(project, "-v", "--runxfail", "--anomod-baseline=chaos.json", "-k", "kept or own_words")
    assert outcomes(done) == {"test_kept": "FAILED", "test_own_words": "FAILED"}


@pytest.mark.parametrize("workers", ["-n2", "-n0"])
def test_an_update_writes_what_was_seen(project, workers):
    """Reasons stay with their verdict; what says nothing of the system keeps its entry, as do tests that did not run."""
    write(project, BEFORE, "updated.json")
    done = run_pytest(
        project, workers, "-v", "--anomod-baseline=updated.json", "--anomod-baseline-update", "--deselect",
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
    more = '@pytest.mark.parametrize("r", ["r1", "x"])\n@declared\ndef test_many(case, r):\n    case.run()\n'
    staged = {name: dataclasses.replace(good, verdict=Verdict.TOLERATED) for name in ("test_many", "test_one")}
    write_tests(tmp_path, {"test_one": "case.run()"}, staged, more=more)
    words = ("--anomod-repeat=2", "--anomod-baseline=new.json")
    done = run_pytest(tmp_path, *words, "--anomod-baseline-update")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    keys = ["test_staged.py::test_many[r1]", "test_staged.py::test_many[x]", "test_staged.py::test_one"]
    assert json.loads((tmp_path / "new.json").read_text())["verdicts"] == dict.fromkeys(keys, "tolerated")
    done = run_pytest(tmp_path, *words)
    assert re.search("6 xfailed", done.stdout), done.stdout
    assert "chaos baseline" not in done.stdout
