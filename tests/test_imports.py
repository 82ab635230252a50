"""What is loaded when: importing the package and collecting scenarios must not wait for pandas and its like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("aiohttp", "chaoslib", "docker", "matplotlib", "numpy", "pandas", "pyarrow", "scipy", "testcontainers")

COLLECT = """
import pytest


class Spy:
    def pytest_collection_finish(self, session):
        assert len(session.items) == 1, session.items
        loaded.extend(sys.modules)


pytest.main(
    ["experiments/", "--collect-only", "-k", "killpod_preserve", "-p", "no:cacheprovider"], plugins=[Spy()]
)
"""
BEGIN = """
import importlib
import pkgutil
from pytest_anomod import case, chaos, collecting, sources
from pytest_anomod.dataset import write
from pytest_anomod.host import leases
from pytest_anomod.model import catalog
from pytest_anomod.runtimes import process

for group in ("faults", "systems", "modalities", "runtimes", "injectors"):
    assert catalog.offers(group)
for package in (chaos, sources, process):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
loaded.extend(set(sys.modules) - {"chaoslib"})  # it plays the case
"""
CHECK = """
sys.path.insert(0, "tests/checks")
from small_system import Effect
from synthetic import make_case
from pytest_anomod.checks import run_checks, top_shifts

view = make_case(1, effect=Effect(gone=True))
run_checks(view)
assert top_shifts(view)
loaded.extend(sys.modules)
"""


def loaded_after(code):
    """Heavy libraries that are loaded after some code in a fresh interpreter."""
    nowhere = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}  # where one answers, it has to be asked
    report = f"import sys\nloaded = []\n{code}\nprint('LOADED', *sorted(set(loaded) & {set(HEAVY)!r}))"
    words = [sys.executable, "-c", report]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, env=nowhere)
    return shown.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "code",
    ["import pytest_anomod\nloaded.extend(sys.modules)", COLLECT, BEGIN],
    ids=["import", "collection", "what plays and collects"],
)
def test_nothing_heavy_is_loaded_before_a_case_begins(code):
    assert loaded_after(code) == []


def test_the_checks_load_neither_scipy_nor_what_draws_and_writes():
    assert {"scipy", "matplotlib", "chaoslib"}.isdisjoint(loaded_after(CHECK))
