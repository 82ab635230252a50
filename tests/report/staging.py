"""Runs pytest on staged cases (see staged.py) in a process of its own, as a user would."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

HEADER = """
import os
import pytest
from pytest_anomod import anomaly
from pytest_anomod.faults import StopService

declared = anomaly(system="social_network", fault=StopService(), target="media-service")
"""


def write_tests(directory, bodies, staged, *, file="test_staged.py", more=""):
    """A file of scenarios with these bodies, and what their cases give; other files beside it are left alone."""
    tests = [f"@declared\ndef {name}(case):\n    {body}\n" for name, body in bodies.items()]
    (directory / file).write_text("\n".join([HEADER, *tests, more]), encoding="utf-8")
    (directory / "staged.pickle").write_bytes(pickle.dumps(staged))
    (directory / "anomod-dataset").mkdir(exist_ok=True)


def run_pytest(directory, *words):
    """What a run of them says; warnings are errors of ours only."""
    here = Path(__file__).parent
    paths = (here, here.parent / "checks", *os.environ.get("PYTHONPATH", "").split(os.pathsep))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "staged", "-p", "no:cacheprovider", "--anomod-runtime=process", *words],
        cwd=directory, env=environment, text=True, capture_output=True, check=False,
    )  # fmt: skip
