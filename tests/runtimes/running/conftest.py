"""Somebody else's processes, which must live on whatever we do; a catalog that forgets what tests define."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_server import SERVER

from pytest_anomod.host import probes
from pytest_anomod.model import catalog, clock

HERE = Path(__file__).parent


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Foreign:
    """A web server of somebody else's, restarted by a loop of theirs if `restarted`."""

    def __init__(self, directory: Path, restarted: bool) -> None:
        self.port = free_port()
        server = directory / "server.py"
        server.write_text(SERVER)
        line = f"{sys.executable} {server} stock"
        argv = ["sh", "-c", f"while :; do {line}; done"] if restarted else line.split()
        self.process = subprocess.Popen(
            argv, env={**os.environ, "PORT": str(self.port)}, stdout=subprocess.DEVNULL, start_new_session=True
        )
        clock.wait_until(self.answers, timeout_s=30.0, what="the foreign server to answer")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Whether it serves."""
        return probes.is_well("http", ("127.0.0.1", self.port), 1.0)


@pytest.fixture
def foreign(tmp_path):
    """Starts foreign servers; they must be alive in the end, and are ended then."""
    made: list[Foreign] = []

    def start(*, restarted: bool = False) -> Foreign:
        made.append(Foreign(tmp_path, restarted))
        return made[-1]

    yield start
    for each in made:
        alive = each.process.poll() is None
        os.killpg(each.process.pid, signal.SIGKILL)
        each.process.wait()
        assert alive, "a process that is not ours was ended"


@pytest.fixture(autouse=True)
def _own_definitions(monkeypatch):
    """What a test defines is forgotten after it."""
    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    yield
    catalog.offers.cache_clear()


@pytest.fixture
def holder(owner, monkeypatch):
    """Starts an owner that has hold of a running system, with a fault in it."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    return lambda *words: owner(*words, program=HERE / "running_owner.py")
