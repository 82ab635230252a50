"""The house rules as tests: each says which rule, where it is broken, and what to write instead."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_anomod"
OURS = sorted(path for path in PACKAGE.rglob("*.py"))
CODE = [path for path in OURS if "replicas" not in path.parts]
STANDALONE = [path for path in CODE if "helpers" in path.parts]  # programs that run without the package
PYTHON = sorted([*OURS, *(ROOT / "tests").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")])


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def calls(path: Path) -> list[tuple[str, int]]:
    """Dotted names of all calls in a file, with their lines."""
    return [
        (ast.unparse(node.func), node.lineno)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
    ]


def test_every_file_says_first_what_it_is_for():
    """A newcomer reads one line per file."""
    silent = [str(path.relative_to(ROOT)) for path in PYTHON if not ast.get_docstring(tree(path))]
    assert not silent, f"these files have no docstring: {silent}"


def test_files_of_tests_have_names_of_their_own():
    """Pytest imports two of one name as one module; those of tests/readback are collected alone."""
    tests = [path.name for path in (ROOT / "tests").rglob("test_*.py") if "readback" not in path.parts]
    twice = sorted({name for name in tests if tests.count(name) > 1})
    assert not twice, f"give one of the two another name: {twice}"


def test_wall_clock_and_sleep_only_through_the_clock():
    """model/clock.py is the one door, so that time can be faked and searched for."""
    banned = {"time.time", "time.time_ns", "time.sleep", "datetime.now", "dt.datetime.now", "datetime.datetime.now"}
    inside = set((PACKAGE / "agents" / "inside").rglob("*.py"))  # runs in other people's services, without us
    doors = {PACKAGE / "model" / "clock.py", *STANDALONE, *inside}
    broken = [
        f"{where(path, line)} {name}: use model.clock"
        for path in CODE
        if path not in doors
        for name, line in calls(path)
        if name in banned
    ]
    assert not broken, "\n".join(broken)


def test_processes_are_started_only_where_they_are_also_ended():
    """These know how to end what they start."""
    homes = {"host", "safety", "runtimes", "injectors", "workloads"}
    broken = [
        f"{where(path, number)}: start processes through a runtime, an injector or a workload"
        for path in CODE
        if path not in STANDALONE and path.relative_to(PACKAGE).parts[0] not in homes
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"^\s*(import subprocess|from subprocess import|import multiprocessing)", line)
    ]
    assert not broken, "\n".join(broken)


def test_print_only_on_the_command_line():
    """Everything else logs, raises, or returns."""
    broken = [
        f"{where(path, line)}: print is for cli.py"
        for path in CODE
        if path.name != "cli.py" and path not in STANDALONE
        for name, line in calls(path)
        if name == "print"
    ]
    assert not broken, "\n".join(broken)


def test_a_broad_except_gives_its_reason():
    """`except Exception` needs a comment on its line or on the next that says why."""
    broken = []
    for path in OURS:
        lines = path.read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if re.search(r"except (\(?Base)?Exception\b|except\s*:", line):
                following = lines[number] if number < len(lines) else ""
                if "#" not in line and not following.strip().startswith("#"):
                    broken.append(f"{where(path, number)}: say why nothing narrower will do")
    assert not broken, "\n".join(broken)


def test_no_leftovers():
    """What is not done is an issue, not a comment."""
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|NotImplemented" + r"Error")
    broken = [
        where(path, number)
        for path in PYTHON
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert not broken, "\n".join(broken)


def test_files_stay_short():
    """Who needs more than 400 lines has two things to say."""
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in PYTHON
        if (count := path.read_text("utf-8").count("\n")) > 400
    ]
    assert not long, "\n".join(long)


def test_functions_fit_on_a_screen():
    """At most 60 lines from def to the end, tests and experiments too."""
    broken = []
    for path in PYTHON:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 60:
                    broken.append(f"{where(path, node.lineno)} {node.name}: {length} lines")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("group", ["faults", "systems", "modalities", "runtimes", "injectors", "methods", "exporters"])
def test_everything_on_offer_has_a_line_in_the_docs(group):
    """What is not in the docs does not exist for a newcomer."""
    from pytest_anomod.model import catalog

    text = "".join(path.read_text("utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    missing = [name for name in catalog.offers(group) if f"`{name}`" not in text]
    assert not missing, f"no line in README.md or docs/ about {group}: {missing}"


def test_every_scenario_has_a_row_in_the_docs():
    """The table says what is put in where, and what the published run did."""
    text = (ROOT / "docs" / "scenarios.md").read_text("utf-8")
    tests = [
        name.removeprefix("test_")
        for path in (ROOT / "experiments").rglob("test_*.py")
        if path.parent.name not in ("campaign", "chaos_mesh")  # matrices: docs/campaign.md, docs/kubernetes.md
        for name in re.findall(r"^def (test_\w+)\(case\)", path.read_text("utf-8"), re.M)
    ]
    assert len(tests) > 25
    assert [name for name in tests if f"| `{name}` |" not in text] == []


def test_the_changelog_has_the_version_that_is_built():
    """A release without a word to its users is no release."""
    from pytest_anomod import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_importing_the_plugin_imports_nothing_heavy():
    """A suite that doesn't use the plugin must not pay for it."""
    heavy = (
        "pandas pyarrow scipy numpy matplotlib chaoslib allure_commons aiohttp psutil docker testcontainers requests"
    )
    code = f"import pytest, sys; before = set(sys.modules); import pytest_anomod.plugin; " \
           f"print(sorted(set('{heavy}'.split()) & (set(sys.modules) - before)))"  # fmt: skip
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_map_for_newcomers_names_files_that_are_there():
    """docs/how-it-works.md is the way into the code."""
    named = set(
        re.findall(r"`([a-z_]+(?:/[a-z_]*)*(?:\.py)?)`", (PACKAGE.parent / "docs" / "how-it-works.md").read_text())
    )
    paths = {name for name in named if "/" in name or name.endswith(".py")} - {"pytest_anomod/"}
    assert len(paths) > 30
    assert [name for name in sorted(paths) if not (PACKAGE / name).exists()] == []
