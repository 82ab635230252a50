"""A case whose daemon dies in the middle: it fails and says why, is not taken for whole, and what stays is cleared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from container_demo import ours

from pytest_anomod.model import clock
from pytest_anomod.runtimes.docker import engine as docker_engine

SCENARIO = """
from pytest_anomod import Durations, anomaly
from pytest_anomod.faults import StopService

@anomaly(
    system="demo",
    fault=StopService(),
    target="back",
    durations=Durations(warmup_s=1, baseline_s=1, anomaly_s=10, recovery_s=1),
)
def test_back_is_away(case):
    case.run()
"""
OVER_S = 120.0


@pytest.fixture
def run(tmp_path, relay):
    """A pytest that has the engine by way of the relay alone, and its environment."""
    (tmp_path / "test_it.py").write_text(SCENARIO)
    offered = tmp_path / "demo_system-1.0.dist-info"
    offered.mkdir()
    (offered / "METADATA").write_text("Metadata-Version: 2.1\nName: demo-system\nVersion: 1.0\n")
    (offered / "entry_points.txt").write_text("[pytest_anomod.systems]\ndemo = container_demo:DEMO\n")
    paths = [str(tmp_path), str(Path(__file__).parent), os.environ["PYTHONPATH"]]
    surroundings = {**os.environ, "ANOMOD_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": os.pathsep.join(paths)}
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--anomod-runtime=docker", "test_it.py"],
            cwd=tmp_path,
            env=surroundings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    yield process, surroundings
    if process.poll() is None:
        process.kill()
        process.wait()


def test_a_daemon_that_dies_in_a_case_fails_it_with_the_reason(engine, run, relay, tmp_path):
    """The fault was in; its recovery and the taking down need the engine."""
    process, surroundings = run

    def labels() -> list[str]:
        return [f"{docker_engine.SESSION}={path.name}" for path in (tmp_path / "state" / "sessions").glob("*")]

    def stopped() -> bool:
        assert process.poll() is None, (tmp_path / "output").read_text()
        wanted = {"label": labels(), "status": ["exited"]}
        return bool(labels()) and len(engine.api.containers(all=True, filters=wanted)) == 1

    clock.wait_until(stopped, timeout_s=OVER_S, what="the fault to be in")
    (label,) = labels()
    relay.cut()
    code = process.wait(OVER_S)
    said = (tmp_path / "output").read_text()
    assert code == 1, said
    assert "no answer from the Docker engine" in said
    assert "urllib3" not in said  # what goes on inside libraries is of no use to who reads it
    assert not list((tmp_path / "anomod-dataset").rglob("case.json")), said
    relay.mend()
    words = [sys.executable, "-m", "pytest_anomod.cli", "clean"]
    cleaned = subprocess.run(words, env=surroundings, cwd=tmp_path, capture_output=True, text=True)
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert ours(engine, label) == [], cleaned.stdout
