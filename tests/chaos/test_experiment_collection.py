"""Which files become tests, their names and marks; what narrows what they may run; what `anomod check` says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_anomod import cli

SET = Path(__file__).parent / "imported"


@pytest.fixture
def folder(pytester):
    """A project with a test, experiments in chaos/, and a JSON beside the test that is an experiment too."""
    chaos = pytester.mkdir("chaos")
    for name in ("holds.json", "method_empty.yaml", "variables.yaml", "beside.py"):
        shutil.copy(SET / name, chaos)
    tests = pytester.mkdir("tests")
    shutil.copy(SET / "holds.json", tests)
    (tests / "test_one.py").write_text("def test_one():\n    pass\n")
    return pytester


def collected(pytester, *words):
    """The ids of what is collected, without running it."""
    said = pytester.runpytest_inprocess("--collect-only", "-q", "-p", "no:cacheprovider", *words)
    return [line for line in said.outlines if "::" in line]


def test_a_file_is_never_collected_by_surprise(folder):
    """Not where a folder is named, and not with a pattern for others."""
    assert collected(folder) == ["tests/test_one.py::test_one"]
    assert collected(folder, "chaos", "tests") == ["tests/test_one.py::test_one"]


def test_a_file_is_collected_where_it_is_named(folder):
    """By its path, and by the id of its test."""
    assert collected(folder, "tests/holds.json") == ["tests/holds.json::A file stays where it is"]
    assert len(collected(folder, "tests/holds.json::A file stays where it is")) == 1


def test_patterns_of_the_project_are_found_by_a_plain_pytest(folder):
    """Also beside testpaths; what a pattern matches and is no experiment is left alone."""
    folder.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        testpaths = ["tests"]
        anomod_experiments = ["chaos/*.yaml", "chaos/*.json"]
        """
    )
    theirs = ["chaos/holds.json::A file stays where it is", "chaos/method_empty.yaml::A control does nothing"]
    assert collected(folder) == ["tests/test_one.py::test_one", *theirs]
    assert collected(folder, "chaos") == theirs
    assert collected(folder, "tests") == ["tests/test_one.py::test_one"]


def test_tags_are_marks_and_titles_are_names(folder):
    """-m and -k choose, under --strict-markers too."""
    files = ("chaos/holds.json", "chaos/method_empty.yaml", "--strict-markers")
    assert collected(folder, *files, "-m", "service_cart") == ["chaos/holds.json::A file stays where it is"]
    assert collected(folder, *files, "-m", "not files") == ["chaos/method_empty.yaml::A control does nothing"]
    assert collected(folder, *files, "-k", "stays and where") == ["chaos/holds.json::A file stays where it is"]


def test_what_may_not_be_run_is_skipped_with_its_line(folder):
    """A kind of provider, wherever it stands."""
    said = folder.runpytest_inprocess("chaos/holds.json", "--anomod-allow=http,python", "-rs")
    said.assert_outcomes(skipped=1)
    said.stdout.fnmatch_lines(["*line 27: 'say' needs shell, which --anomod-allow=http,python leaves out*"])
    said = folder.runpytest_inprocess("chaos/holds.json", "--anomod-allow=bash")
    said.stderr.fnmatch_lines(["*--anomod-allow=bash: 'bash' is none of shell, python, http*"])


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        ({"system": "social_netwrok"}, "no system named 'social_netwrok'; did you mean social_network?"),
        ({"system": "social_network"}, "which service does it hit? Say target: one of"),
        ({"system": "social_network", "target": "cart"}, "has no service 'cart'"),
        ({"system": "social_network", "target": "media-service", "level": "cosmic"}, "level 'cosmic' is none of"),
        ({"system": "social_network", "target": "media-service", "expects": "fine"}, "expects: 'fine' is none of"),
        ({"system": "social_network", "target": "media-service", "seen": "say"}, "seen: 'say' is no probe"),
        ({"sytem": "social_network"}, "knows system, target, level, expects, seen, runtime, and not 'sytem'"),
    ],
)
def test_what_an_extension_has_wrong_is_said_at_collection(folder, extension, words):
    """In one line with its place."""
    document = json.loads((SET / "holds.json").read_text())
    document["extensions"] = [{"name": "pytest-anomod", **extension}]
    (folder.path / "wrong.json").write_text(json.dumps(document, indent=1))
    said = folder.runpytest_inprocess("wrong.json")
    said.assert_outcomes(errors=1)
    line = len((folder.path / "wrong.json").read_text().partition('"extensions"')[0].splitlines())
    found = [text for text in said.outlines if text.startswith(f"wrong.json:{line}: ")]
    assert len(found) == 1
    assert words in found[0]


CHECKED = {
    "rollbacks_empty.yaml": (9, "partly", "rollbacks are empty: what the method switches on"),
    "tolerance_on_action.yaml": (8, "partly", "the tolerance of an action is evaluated by nobody"),
    "dollar_parenthesis.yaml": (13, "partly", "$(port) is not replaced: write ${port}"),
    "strategies.yaml": (5, "partly", "here rollbacks are always played"),
    "strategy_continous.yaml": (4, "partly", "what deviates during the method alone is recorded, and fails nothing"),
    "configuration_from_environment.yaml": (3, "refused", "ANOMOD_TEST_NEVER_SET is not set, and there is no default"),
    "configuration_from_probe.yaml": (4, "partly", "${count} is what a probe answers at the start"),
    "control_reads_input.yaml": (4, "partly", "a control is code that chaoslib lets fail in silence"),
    "only_load.yaml": (8, "does", "load: an anomaly of its own"),
    "only_roll_out.yaml": (8, "does", "roll-out: an anomaly of its own"),
    "method_empty.yaml": (7, "does", "method: [] is a control"),
    "pauses.yaml": (8, "does", "pause of 0.1 s before; pause of 0.2 s after"),
    "background.yaml": (8, "does", "in the background"),
    "pipe.yaml": (6, "does", "runs printf through a shell"),
    "dry.yaml": (3, "refused", "dry: 'actions' has no effect in a file"),
    "module_missing.yaml": (4, "refused", "there is no Python module 'chaos_of_nobody.actions' here"),
    "manifest.yaml": (1, "refused", ""),
}


@pytest.mark.parametrize("file", CHECKED)
def test_check_says_what_becomes_of_a_file(file, capsys):
    """Line, grade and reason; exit code 1 when something is refused."""
    code = cli.main(["check", str(SET / file)])
    line, grade, why = CHECKED[file]
    said = " ".join(capsys.readouterr().out.split())
    assert f" {line} {grade} " in said
    assert why in said
    assert code == (1 if grade == "refused" else 0)


def test_check_knows_faults_by_module_and_function(tmp_path, capsys):
    """Of chaosk8s and chaostoxi, without having them installed."""
    actions = [("chaosk8s.pod.actions", "terminate_pods"), ("chaostoxi.toxic.actions", "create_latency_toxic")]
    method = [
        {"type": "action", "name": name, "provider": {"type": "python", "module": module, "func": name}}
        for module, name in actions
    ]
    document = {"title": "t", "description": "d", "method": method, "rollbacks": []}
    (tmp_path / "known.json").write_text(json.dumps(document, indent=1))
    cli.main(["check", str(tmp_path / "known.json")])
    said = " ".join(capsys.readouterr().out.split())
    assert "the fault kill_service; our own probe sees it" in said
    assert "the fault network_delay; only the hypothesis can see it" in said
