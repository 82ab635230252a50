"""Reading our exports back with other people's own packages: `tox run -e readback`, which records the cases first.

Not collected otherwise: none of these packages is a dependency of ours. ANOMOD_READBACK names the dataset.
"""

import os
import time
from importlib.metadata import version
from pathlib import Path

import pytest

DATASET = os.environ.get("ANOMOD_READBACK", "")
collect_ignore_glob = [] if DATASET else ["test_*.py"]
_figures: list[tuple[str, str, float, str]] = []


@pytest.fixture(scope="session")
def data():
    """The cases that are not spoilt."""
    from pytest_anomod import load_dataset

    return load_dataset(DATASET, verdicts=("effective", "tolerated", "silent", "normal", "ineffective"))


@pytest.fixture(scope="session")
def exported(data, tmp_path_factory):
    """`exported(name)` writes that format once and gives its directory."""
    from pytest_anomod.exporters.command import export

    made: dict[str, Path] = {}

    def write(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "out"
            export(data, name, made[name])
        return made[name]

    return write


@pytest.fixture
def figure():
    """`figure(package, said)` notes what a package made of our data and the seconds since the test began."""
    began = time.perf_counter()
    return lambda package, said: _figures.append((package, version(package), time.perf_counter() - began, said))


def pytest_terminal_summary(terminalreporter):
    """The table of docs/exports.md."""
    for package, its_version, seconds, said in _figures:
        terminalreporter.write_line(f"| {package} | {its_version} | {seconds:.1f} | {said} |")
