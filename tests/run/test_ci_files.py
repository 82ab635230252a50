"""The CI files to copy: they are YAML, call pytest with options that there are, and keep all that a run leaves."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples" / "ci"
FILES = sorted(EXAMPLES.glob("*.yml"))
LEFT = ("anomod_out", "anomod_report", "allure_report_dir", "xmlpath")


def commands(document):
    """All command lines: texts below `run` and `script`."""
    found = []
    if isinstance(document, dict):
        for key, value in document.items():
            lines = value if isinstance(value, list) else [value]
            found += lines if key in ("run", "script") else commands(value)
    elif isinstance(document, list):
        found = [line for each in document for line in commands(each)]
    return found


def load(name):
    return yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))


def test_there_is_one_for_each_of_two_services():
    assert [path.name for path in FILES] == ["github-actions.yml", "gitlab-ci.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_options_exist_and_all_is_left_in_one_place(path, pytester):
    install, run = commands(load(path.name))
    assert shlex.split(install) == ["pip", "install", "pytest-anomod[replicas]"]
    program, directory, *words = shlex.split(run)
    assert (program, directory) == ("pytest", "tests/chaos")
    option = pytester.parseconfig(*words).option
    assert option.anomod_runtime == "process"
    for name in LEFT:
        assert Path(getattr(option, name)).is_relative_to("chaos"), name


def test_github_keeps_it_whatever_comes_of_the_tests():
    (job,) = load("github-actions.yml")["jobs"].values()
    (keep,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert keep["if"] == "always()"
    assert keep["with"]["path"] == "chaos/"


def test_gitlab_keeps_it_whatever_comes_of_the_tests():
    artifacts = load("gitlab-ci.yml")["chaos"]["artifacts"]
    assert artifacts["when"] == "always"
    assert artifacts["paths"] == ["chaos/"]
    assert artifacts["reports"] == {"junit": "chaos/junit.xml"}
