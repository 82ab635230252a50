"""The API server is away for 20 seconds in the middle of a case: one clear line, and no half case taken for whole."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pytest_anomod.model import clock

AWAY_S = 20.0
IN_THE_MIDDLE = 450
"""Answers after which the fault is in: 30 a second, and 30 seconds of anomaly begin after some 10."""
SCENARIO = """
from pytest_anomod import anomaly
from pytest_anomod.faults import HttpAbort
from pytest_anomod.model.scenario import Durations

@anomaly(
    system="social_network", fault=HttpAbort(percent=100), target="text-service",
    durations=Durations(warmup_s=1, baseline_s=5, anomaly_s=30, recovery_s=5),
)
def test_away(case):
    case.run()
"""


@pytest.fixture
def server():
    """The API server of the cluster of these tests; it goes on whatever happens."""
    found = [one for one in psutil.process_iter(["cmdline"]) if "kube-apiserver" in (one.info["cmdline"] or [""])[0]]
    assert len(found) == 1, "only a cluster of these tests is held up"
    yield found[0]
    with contextlib.suppress(psutil.NoSuchProcess):
        found[0].send_signal(signal.SIGCONT)


def test_a_case_that_could_not_be_watched_is_none(api, server, ours, tmp_path):
    """Its verdict is broken, whose first line says how long the cluster could not be asked; nothing stays."""
    (tmp_path / "test_it.py").write_text(SCENARIO)
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--anomod-runtime=kubernetes", "test_it.py"],
        cwd=tmp_path, env={**os.environ, "ANOMOD_STATE_DIR": str(tmp_path / "state")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        clock.wait_until(lambda: _answers(tmp_path) > IN_THE_MIDDLE, timeout_s=300, what="the middle", every_s=0.2)
        server.send_signal(signal.SIGSTOP)
        clock.sleep(AWAY_S)
        server.send_signal(signal.SIGCONT)
        output, _ = run.communicate(timeout=300)
    finally:
        server.send_signal(signal.SIGCONT)
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
            run.wait()
    assert run.returncode == 1, output
    assert "the cluster could not be asked for" in output
    for file in (tmp_path / "anomod-dataset").rglob("case.json"):
        case = json.loads(file.read_text())
        assert case["verdict"] == "broken"
        assert any("the cluster could not be asked for" in line for line in case["problems"])
    assert ours() == []


def _answers(directory: Path) -> int:
    """How many answers users had so far."""
    return sum(len(file.read_bytes().splitlines()) for file in (directory / "state").rglob("responses.jsonl"))
