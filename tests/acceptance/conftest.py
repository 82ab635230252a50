"""Real runs of pytest from outside: where they keep their state, that none is left, what they took for it."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from outside import Run

from pytest_anomod.safety import sessions

SECONDS = "acceptance_seconds"


@pytest.fixture(scope="session")
def state(tmp_path_factory):
    """A state directory that the runs of this process share, and nobody else."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def _our_state(state, monkeypatch):
    """What this process does in our name (attach, sweep) meets only what its own runs have."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(state))


@pytest.fixture
def start(state, tmp_path):
    """Starts programs with our state directory; whatever a test does, none outlives it."""
    runs: list[Run] = []

    def begin(*words, program="pytest", prefix=()) -> Run:
        runs.append(Run(tmp_path, *words, state=state, program=program, prefix=prefix))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()
    if runs:
        sessions.sweep()


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Does a piece of work once, however many xdist workers ask for it, and gives each its directory."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def work(name: str, make) -> Path:
        directory, done = root / name, root / f"{name}.done"
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
                make(directory)
                done.touch()
        return directory

    return work


@pytest.fixture
def timed(request):
    """Notes for the table at the end how many seconds something took."""

    def note(what: str, seconds: float) -> None:
        request.node.user_properties.append((SECONDS, f"{what}: {seconds:.1f}"))

    return note


def pytest_terminal_summary(terminalreporter):
    """The table of what was noted."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    rows = sorted(value for report in reports for key, value in report.user_properties if key == SECONDS)
    if rows:
        terminalreporter.section("seconds until nothing of a run was left")
        for row in rows:
            what, _, seconds = row.rpartition(": ")
            terminalreporter.write_line(f"{what:48} {seconds:>5}")
