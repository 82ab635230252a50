"""The first page about one's own services keeps its promise: five commands, fifteen lines, and they fit the example."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from pytest_anomod.define.journeys import visit
from pytest_anomod.faults import NetworkLoss

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-case.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]


def test_five_commands_and_fifteen_lines_are_enough():
    assert len(COMMANDS) <= 5
    assert sum(1 for block in PYTHON for line in block.splitlines() if line) <= 15


@pytest.mark.parametrize("block", PYTHON, ids=["conftest", "test_chaos"])
def test_what_it_imports_is_there(block):
    imports = [node for node in ast.parse(block).body if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        exec(compile(ast.Module(body=[node], type_ignores=[]), "first-case.md", "exec"), {})


def test_it_breaks_a_service_of_the_example():
    services = yaml.safe_load((ROOT / "examples" / "shop" / "compose.yaml").read_text())["services"]
    [target] = re.findall(r'target="(\w+)"', PAGE)
    [percent] = re.findall(r"NetworkLoss\(percent=(\d+)\)", PAGE)
    [path] = re.findall(r'visit\("(.+?)"\)', PAGE)
    assert target in services
    assert NetworkLoss(percent=int(percent)).percent == 30
    assert visit(path).name
