"""What is wrong with a suite is said before anything starts: file, line, and what to do."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from pytest_anomod import anomaly
from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.scenario import PROFILES
from pytest_anomod.model.workload import Suite
from pytest_anomod.workloads import suite
from pytest_anomod.workloads.suite import prepare
from pytest_anomod.workloads.suite_address import Addresses, is_loopback, place_of
from pytest_anomod.workloads.suite_player import journey_names
from pytest_anomod.workloads.suite_wire import route_of

ROOT = Path(__file__).parents[2]

GOOD = """
    import os, unittest

    class EvoMasterTest(unittest.TestCase):
        baseUrlOfSut = "http://localhost:8080"

        def test_0(self): ...
"""


@pytest.fixture
def prepared(tmp_path):
    """Prepares a suite given as text."""
    system = catalog.find("systems", "social_network")

    def prepare_text(text: str, name: str = "suite.py", **options) -> Suite:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return prepare(path, system=system, **options)

    return prepare_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def test_it(:\n    pass\n", r"suite\.py:1: .*syntax"),
        ("x = 1\n\ndef helper(): ...\n", "no tests in it"),
        ("raise OSError('no config')\ndef test_it(): ...\n", r"suite\.py: .*OSError: no config"),
    ],
)
def test_a_suite_that_can_not_be_played_is_refused(prepared, text, message):
    with pytest.raises(ScenarioError, match=message):
        prepared(text)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (
            "timeout_not_there, requests, also_not_there",
            "also_not_there, timeout_not_there; pip install also_not_there t",
        ),
        (
            "em_test_utils",
            "em_test_utils; copy em_test_utils.py beside the tests, from the folder that EvoMaster wrote",
        ),
    ],
)
def test_missing_modules_are_one_line_with_what_to_install(prepared, modules, message):
    with pytest.raises(ScenarioError, match=f": it imports what is not there: {message}") as caught:
        prepared(f"import {modules}\ndef test_it(): ...\n")
    assert "\n" not in str(caught.value)


def test_what_evomaster_s_suites_import_is_the_extra_s(prepared, monkeypatch):
    monkeypatch.setattr(suite, "INSTALLED_BY", {"not_there_one": "not-there-one", "not_there_two": "not-there-two"})
    with pytest.raises(ScenarioError, match=re.escape("pip install 'pytest-anomod[suites]'")):
        prepared("import not_there_one\ndef test_it(): ...\n")


def test_the_extra_has_the_packages_that_the_hint_promises():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {need.partition(">=")[0] for need in extras["suites"]} == {*suite.INSTALLED_BY.values()}


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ScenarioError, match="no such file or folder"):
        prepare(tmp_path / "none.py", system=catalog.find("systems", "social_network"))


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("localhost:8080", "no URL of the form http://HOST:PORT"),
        ("https://localhost:8443", "no URL of the form http://HOST:PORT"),
        ("media-frontnd=http://localhost:8081", "no service 'media-frontnd'; did you mean media-frontend"),
    ],
)
def test_a_base_that_can_not_be_is_refused(prepared, base, message):
    with pytest.raises(ScenarioError, match=message):
        prepared(GOOD, bases=(base,))


def test_bases_are_found_where_suites_write_them(prepared):
    text = """
        import os
        BASE_URL = os.environ.get("BASE", "http://service.internal:9000/api")
        unrelated = "http://localhost:1"

        class TestA:
            baseUrlOfSut = "http://localhost:8080"
            def test_0(self):
                self.host = "http://127.0.0.1:7000/"
    """
    assert prepared(text).bases == {
        "http://service.internal:9000": "", "http://localhost:8080": "", "http://127.0.0.1:7000": "",
    }  # fmt: skip


def test_named_bases_stand_alone_or_beside_those_found(prepared):
    named = "media-frontend=http://localhost:8081"
    assert prepared(GOOD, bases=(named,)).bases == {"http://localhost:8081": "media-frontend"}
    both = prepared(GOOD, bases=(named, "auto")).bases
    assert both == {"http://localhost:8080": "", "http://localhost:8081": "media-frontend"}


def test_a_folder_as_evomaster_leaves_it_is_a_suite(prepared, tmp_path):
    (tmp_path / "em").mkdir()
    (tmp_path / "em" / "em_test_utils.py").write_text("HELP = 1\n")
    text = "from em_test_utils import *\n" + textwrap.dedent(GOOD)
    workload = prepared(text, "em/EvoMaster_successes_Test.py")
    assert prepare(tmp_path / "em", system=catalog.find("systems", "social_network")).bases == workload.bases
    assert not list((tmp_path / "em").glob("__pycache__")), "a suite's folder stays as it is"


def test_a_suite_may_ask_the_environment_when_it_is_imported(tmp_path):
    path = tmp_path / "suite.py"
    path.write_text('import os\nos.environ["ANOMOD_BASE_URL"], os.environ["TT_AUTH_TOKEN"]\ndef test_it(): ...\n')
    assert prepare(path, system=catalog.find("systems", "train_ticket")).path == str(path)
    with pytest.raises(ScenarioError, match="TT_AUTH_TOKEN"):
        prepare(path, system=catalog.find("systems", "social_network"))


def test_the_label_names_the_file_and_not_where_it_lies(prepared):
    assert prepared(GOOD).title == "suite:suite.py"


@pytest.mark.parametrize("wrong", [{"rate_rps": 0}, {"timeout_s": 61}])
def test_tempo_out_of_range_is_refused(wrong):
    with pytest.raises(ScenarioError, match=next(iter(wrong))):
        Suite(path="x.py", **wrong)


def test_a_base_is_the_deployment_whatever_loopback_is_called():
    known = Addresses({"gate": "http://127.0.0.1:5000", "media": "http://127.0.0.1:5001"}, {
        "http://localhost:8080": "gate", "http://example.com": "media",
    })  # fmt: skip
    assert known.service("127.0.0.1", 8080) == known.service("::1", 8080) == known.service("LOCALHOST", 5000) == "gate"
    assert known.true_place("localhost", 8080) == ("127.0.0.1", 5000)
    assert known.service("example.com", 80) == "media"
    assert known.service("localhost", 9) is None
    assert known.true_place("localhost", 9) == ("localhost", 9)


@pytest.mark.parametrize(
    ("host", "own"),
    [("localhost", True), ("127.3.2.1", True), ("[::1]", True), ("::ffff:127.0.0.1", True),
     ("0.0.0.0", False), ("10.0.0.1", False), ("localhost.example.com", False), ("::ffff:10.0.0.1", False)],
)  # fmt: skip
def test_what_is_this_machine(host, own):
    assert is_loopback(host) is own


def test_a_place_needs_a_host_and_http():
    assert place_of("http://LocalHost:80/x") == ("127.0.0.1", 80)
    for wrong in ("ftp://localhost", "http://", "localhost"):
        with pytest.raises(ValueError, match="http://HOST:PORT"):
            place_of(wrong)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/v1/orders/5ad7750b-a68b-49c0-a8c0-32776b067703?x=1", "/api/v1/orders/{id}"),
        ("/users/42/posts", "/users/{id}/posts"),
        ("/trips/G1234", "/trips/G1234"),
        ("/", "/"),
    ],
)
def test_routes_are_paths_without_ids(path, route):
    assert route_of(path) == route


def test_names_of_journeys_are_distinct():
    tests = ["a.py::A::test_0", "a.py::B::test_0", "b.py::B::test_0", "a.py::test_1"]
    names = journey_names(tests)
    assert names["a.py::A::test_0"] == "A.test_0"
    assert names["a.py::test_1"] == "test_1"
    assert len(set(names.values())) == 4


@pytest.mark.parametrize(("ordered", "own", "rate"), [(None, None, 60), (20.0, None, 20), (20.0, 5.0, 5)])
def test_sixty_tests_a_second_unless_the_command_line_or_the_test_says_so(ordered, own, rate):
    @anomaly(system="train_ticket", workload=Suite(path="/somewhere/suite.py", rate_rps=own))
    def test_normal(case): ...

    declared = getattr(test_normal, ATTRIBUTE)
    scenario = declared.scenario("normal", durations=PROFILES["quick"], rate_rps=ordered, seed=1)
    assert scenario.workload.rate_rps == rate
