"""Rollbacks of an imported experiment are played once by whoever is alive: the guardian, pytest, or its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_anomod.model import clock

ROOT = Path(__file__).parents[2]
WITHIN_S = 10.0
EXPERIMENT = """
title: A switch is thrown and kept
description: The method does not end while we look.
steady-state-hypothesis:
  title: the switch is off
  probes:
    - type: probe
      name: is-off
      tolerance: false
      provider: {type: python, module: os.path, func: exists, arguments: {path: on.txt}}
method:
  - {type: action, name: switch-on, provider: {type: process, path: touch, arguments: [on.txt]}}
  - type: action
    name: keep-it-on
    provider: {type: process, path: sh, arguments: [-c, "echo $$ $PPID > pids.txt; exec sleep 600"]}
rollbacks:
  - {type: action, name: switch-off, provider: {type: process, path: rm, arguments: [on.txt]}}
  - type: action
    name: note-it
    provider: {type: process, path: sh, arguments: [-c, "echo played >> rolled-back.txt"]}
"""
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "switch.yaml")
CHAOS = ("-c", "from chaostoolkit.__main__ import cli; cli()", "--no-version-check", "run", "switch.yaml")


class Playing:
    """A process that plays the experiment, once its method is under way; with the pids of `sleep` and of its player."""

    def __init__(self, folder: Path, words: tuple[str, ...]) -> None:
        (folder / "switch.yaml").write_text(EXPERIMENT)
        self.folder, self.state = folder, folder / "state"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ANOMOD_STATE_DIR": str(self.state)}
        self.process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment, start_new_session=True,
            stdout=(folder / "said.txt").open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        pids = folder / "pids.txt"
        clock.wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2, timeout_s=60, what="the method")
        self.sleeper, self.player = map(int, pids.read_text().split())

    def rolled_back(self) -> bool:
        return (self.folder / "rolled-back.txt").exists() and not (self.folder / "on.txt").exists()

    def is_gone(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    def times(self) -> int:
        return len((self.folder / "rolled-back.txt").read_text().splitlines())

    def reports(self) -> str:
        return "".join(path.read_text() for path in (self.state / "reports").glob("*.log"))


@pytest.fixture
def playing(tmp_path):
    """Starts one; what is left of it at the end is killed."""
    started = []

    def start(words: tuple[str, ...]) -> Playing:
        started.append(Playing(tmp_path, words))
        return started[-1]

    yield start
    for one in started:
        for pid in (one.process.pid, one.player):
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        one.process.wait()


def test_the_guardian_plays_them_when_pytest_is_killed(playing):
    """kill -9 of pytest's process group in the middle of the method: gone within 10 s, once, and the note says so."""
    run = playing(PYTEST)
    os.killpg(run.process.pid, signal.SIGKILL)
    clock.wait_until(run.rolled_back, timeout_s=WITHIN_S, what="the rollbacks")
    clock.wait_until(lambda: "played 2 rollbacks" in run.reports(), timeout_s=WITHIN_S, what="the note")
    assert (
        "of the experiment 'A switch is thrown and kept' (switch-off, note-it); its hypothesis holds" in run.reports()
    )
    clock.wait_until(
        lambda: not any((run.state / "sessions").iterdir()), timeout_s=WITHIN_S, what="the guardian to end"
    )
    assert run.times() == 1
    assert run.is_gone(run.sleeper)
    assert run.is_gone(run.player)


def test_with_chaos_toolkit_alone_they_are_not_played(playing):
    """The same kill under `chaos run`: the switch stays on, and nobody is left who could play anything."""
    run = playing(CHAOS)
    os.killpg(run.process.pid, signal.SIGKILL)
    clock.wait_until(
        lambda: run.is_gone(run.player) and run.is_gone(run.sleeper), timeout_s=WITHIN_S, what="all to end"
    )
    assert (run.folder / "on.txt").exists()
    assert not (run.folder / "rolled-back.txt").exists()


def test_pytest_plays_them_when_the_player_is_killed(playing):
    """The test fails, and says who did what."""
    run = playing(PYTEST)
    os.killpg(run.player, signal.SIGKILL)
    assert run.process.wait(60) == pytest.ExitCode.TESTS_FAILED
    assert run.rolled_back()
    assert run.times() == 1
    said = (run.folder / "said.txt").read_text()
    assert "ended early (exit code -9); played 2 rollbacks" in said


def test_ctrl_c_ends_the_method_and_plays_them(playing):
    """As after every rollback, the run ends only then."""
    run = playing(PYTEST)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == pytest.ExitCode.INTERRUPTED
    assert run.rolled_back()
    assert run.times() == 1
    clock.wait_until(lambda: run.is_gone(run.sleeper), timeout_s=WITHIN_S, what="the method's process to be gone")
    clock.wait_until(
        lambda: not any((run.state / "sessions").iterdir()), timeout_s=WITHIN_S, what="the guardian to end"
    )
