"""Experiments as cases, on a system that runs: verdict, label, JUnit and exit code, as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pytest_anomod.model import clock

ROOT = Path(__file__).parents[2]
SHOP = '''
"""A shop that answers, with an error while a file is there; it writes down its port and its pid."""

import http.server, os, pathlib


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if os.path.exists("broken.txt") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
pathlib.Path("pid.txt").write_text(str(os.getpid()))
pathlib.Path("port.txt").write_text(str(server.server_port))
server.serve_forever()
'''
CONFTEST = """
from pytest_anomod import running_system

running_system(
    "shop", entry="http://127.0.0.1:{port}", entry_service="front", pids={{"front": "pid.txt"}}, allow=("experiment",)
)
"""
EXPERIMENT = """
title: {title}
description: A file makes the shop answer with errors, or does nothing.
extensions:
  pytest-anomod: {{system: shop, target: front}}
steady-state-hypothesis:
  title: the shop answers
  probes:
    - {{type: probe, name: answers, tolerance: 200, provider: {{type: http, url: "http://127.0.0.1:{port}/"}}}}
method:
  - {{type: action, name: make-it, provider: {{type: process, path: touch, arguments: [{file}]}}}}
rollbacks:
  - {{type: action, name: remove-it, provider: {{type: process, path: rm, arguments: [{file}]}}}}
"""


@pytest.fixture
def shop(tmp_path):
    """A folder with the shop that runs, and two experiments."""
    (tmp_path / "shop.py").write_text(SHOP)
    process = subprocess.Popen([sys.executable, "shop.py"], cwd=tmp_path)
    port = tmp_path / "port.txt"
    clock.wait_until(lambda: port.exists() and port.read_text() != "", timeout_s=30, what="the shop")
    (tmp_path / "conftest.py").write_text(CONFTEST.format(port=port.read_text()))
    for name, file in (("breaks", "broken.txt"), ("unseen", "other.txt")):
        text = EXPERIMENT.format(title=f"It {name}", port=port.read_text(), file=file)
        (tmp_path / f"{name}.yaml").write_text(text)
    yield tmp_path
    process.kill()
    process.wait()


def test_an_experiment_with_a_system_is_a_case_like_any_other(shop):
    """One deviates, and fails with its verdict; one is seen by nobody, and passes, ineffective and not asked."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "acceptance")])
    words = ["-p", "no:cacheprovider", "-p", "calm_machine", "--anomod-scale=0.15", "--anomod-rate=20"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "--anomod-attempts=0", "--anomod-patience=5", "--anomod-out=data",
         "--junitxml=junit.xml", "breaks.yaml", "unseen.yaml"],
        cwd=shop, env={**os.environ, "PYTHONPATH": path, "ANOMOD_STATE_DIR": str(shop / "state")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    cases = {case.get("name"): case for case in xml.etree.ElementTree.parse(shop / "junit.xml").iter("testcase")}
    told = {name: {one.get("name"): one.get("value") for one in case.iter("property")} for name, case in cases.items()}
    assert told["It unseen"]["anomod_verdict"] == "ineffective"
    assert told["It unseen"]["anomod_mechanism"].startswith("nobody could see experiment in front: its hypothesis held")
    assert cases["It unseen"].find("failure") is None
    assert told["It breaks"]["anomod_verdict"] == "effective"
    assert "held 100% of the window" in told["It breaks"]["anomod_mechanism"]
    failure = cases["It breaks"].find("failure")
    assert failure is not None
    assert "breaks.yaml: deviated: the hypothesis does not hold after the method" in failure.get("message", "")
    (label,) = (shop / "data").rglob("scenario=breaks/case=*/label.parquet")
    row = pq.ParquetFile(label).read().to_pylist()[0]
    assert (row["fault"], row["injector"], row["target"], row["expects"]) == (
        "experiment",
        "chaostoolkit",
        "front",
        "any",
    )
    assert not (shop / "broken.txt").exists()
    assert not any((shop / "state" / "sessions").iterdir())
