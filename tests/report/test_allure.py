"""What Allure is given by a run of pytest: categories that hold each failure, tear-downs that end, picture, steps."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from results import judged, make_result
from small_system import Effect
from staging import run_pytest

from pytest_anomod.model.errors import CaptureError
from pytest_anomod.model.verdict import Verdict
from pytest_anomod.report.categories import categories

HEADER = """
import pytest
from pytest_anomod import anomaly
from pytest_anomod.faults import StopService

declared = anomaly(system="social_network", fault=StopService(), target="media-service")

@pytest.fixture(autouse=True)
def other(request):
    request.addfinalizer(clean)

def clean():
    pass
"""
WITHOUT = "Without a verdict: the test itself failed"
ERROR = "Could not be run"
UNEXPECTED = {f"test_{verdict}": verdict for verdict in Verdict}
NO_VERDICT = {
    "test_no_run": ("pass", WITHOUT),
    "test_own_assertion": ("assert case.run().verdict == 'tolerated'", WITHOUT),
    "test_own_failure": ("case.run(); pytest.fail('too slow: tolerated, expected faster')", WITHOUT),
    "test_quotes": ("assert 0, 'not in the first line\\nx (y in z): tolerated, expected effective'", WITHOUT),
    "test_own_error": ("raise RuntimeError('x (y in z): tolerated, expected effective')", ERROR),
    "test_capture": ("case.run()", ERROR),
}
PASSES = "test_passes"


@dataclasses.dataclass(frozen=True)
class Played:
    """What a run of staged cases left in Allure's directory."""

    directory: Path
    staged: dict

    @property
    def results(self):
        """Allure's results by the name of the test."""
        found = [json.loads(path.read_text()) for path in self.directory.glob("*-result.json")]
        return {each["fullName"].partition("#")[2]: each for each in found}

    def categories_of(self, name):
        """The categories that hold a test: as Allure 2 looks, the whole message, and as Allure 3 does, anywhere."""
        result = self.results[name]
        rules = json.loads((self.directory / "categories.json").read_text())
        rules = [each for each in rules if result["status"] in each["matchedStatuses"]]
        message = result["statusDetails"]["message"]
        for look in (re.fullmatch, re.search):
            flags = re.DOTALL
            yield [each["name"] for each in rules if look(each.get("messageRegex", ".*"), message, flags)]


def stage():
    """The results of all tests: each verdict where another was expected, and one that was expected."""
    good, control = make_result(effect=Effect(gone=True)), make_result()
    view = good.view
    played = tuple(dataclasses.replace(each, succeeded=each.name != "gone") for each in view.journal.played)
    view = dataclasses.replace(view, journal=dataclasses.replace(view.journal, played=played))
    known = {Verdict.NORMAL: control, Verdict.BROKEN: make_result(view)}
    staged = dict.fromkeys((*NO_VERDICT, PASSES), good)
    for name, verdict in UNEXPECTED.items():
        expects = "tolerated" if verdict is not Verdict.TOLERATED else "effective"
        staged[name] = judged(known.get(verdict, good), verdict, expects)
    return staged | {"test_capture": CaptureError("the logs collector has no record")}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    directory, staged = tmp_path_factory.mktemp("played"), stage()
    bodies = {name: body for name, (body, _) in NO_VERDICT.items()}
    bodies |= dict.fromkeys((*UNEXPECTED, PASSES), "case.run()")
    tests = [f'@declared\ndef {name}(case):\n    """What for."""\n    {body}\n' for name, body in bodies.items()]
    (directory / "test_staged.py").write_text("\n".join([HEADER, *tests]))
    (directory / "staged.pickle").write_bytes(pickle.dumps(staged))
    (directory / "anomod-dataset").mkdir()
    done = run_pytest(directory, "--alluredir=allure")
    assert re.search(r"13 failed, 1 passed", done.stdout), done.stdout + done.stderr
    return Played(directory / "allure", staged)


@pytest.mark.parametrize("name", UNEXPECTED)
def test_a_verdict_that_was_not_expected_has_its_category(played, name):
    """By the message that pytest and Allure really write."""
    assert played.results[name]["status"] == "failed"
    for names in played.categories_of(name):
        assert [each.partition(":")[0] for each in names] == [f"Not as expected, {UNEXPECTED[name]}"]


@pytest.mark.parametrize("name", NO_VERDICT)
def test_what_has_no_verdict_has_one_category_too(played, name):
    """Whatever failed in a test, and whatever its message quotes."""
    assert list(played.categories_of(name)) == [[NO_VERDICT[name][1]]] * 2


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript here to try the patterns of Allure 3 with")
def test_the_patterns_are_javascript(played):
    """Allure 3 drops a pattern that JavaScript does not know, such as one that begins with (?s)."""
    messages = [played.results[name]["statusDetails"]["message"] for name in UNEXPECTED]
    patterns = [each["messageRegex"] for each in categories() if "messageRegex" in each]
    code = "const [p, m] = JSON.parse(process.argv[1]); " \
           "console.log(JSON.stringify(m.map(m => p.filter(p => new RegExp(p).test(m)))))"  # fmt: skip
    words = ["node", "-e", code, json.dumps([patterns, messages])]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert found == [[pattern] for pattern in patterns[: len(Verdict)]]


def test_allure_3_is_given_the_same_categories(played):
    """It goes by no categories.json; a configuration with them lies beside it."""
    rules = json.loads((played.directory / "allurerc.json").read_text())["categories"]["rules"]
    assert rules == json.loads((played.directory / "categories.json").read_text()) == categories()


def test_no_tear_down_is_left_without_an_end(played):
    """Neither of the case's fixture nor of another that its test has; a finalizer of theirs is shown."""
    fixtures = [json.loads(path.read_text()) for path in played.directory.glob("*-container.json")]
    afters = [after for fixture in fixtures for after in fixture.get("afters", ())]
    assert {before["name"] for fixture in fixtures for before in fixture["befores"]} >= {"case", "other"}
    assert [after["name"] for after in afters if "stop" not in after or "status" not in after] == []
    assert "other::clean" in {after["name"] for after in afters}


def test_a_page_has_the_picture_above_all_else(played):
    """In the description, and as the first attachment, with nothing but the one step of the journal before it."""
    result = played.results[PASSES]
    assert result["status"] == "passed"
    first = result["attachments"][0]
    picture = (played.directory / first["source"]).read_bytes()
    assert (first["type"], picture[:4]) == ("image/png", b"\x89PNG")
    assert base64.b64encode(picture).decode() in result["descriptionHtml"]
    assert result["descriptionHtml"].startswith("<p>What for.</p><p><b>Verdict</b>: effective")


def test_the_one_step_holds_the_journal(played):
    """From its first activity to the end of its last; it failed if one of them did."""
    activities = played.staged[PASSES].view.journal.played
    wanted = [(each.start_ns // 10**6, each.end_ns // 10**6) for each in activities]
    (journal,) = played.results[PASSES]["steps"]
    assert [(step["start"], step["stop"]) for step in journal["steps"]] == wanted
    assert (journal["start"], journal["stop"], journal["status"]) == (wanted[0][0], wanted[-1][1], "passed")
    (journal,) = played.results["test_broken"]["steps"]
    assert journal["status"] == "failed"
    assert [step["status"] for step in journal["steps"]].count("failed") == 1
