"""A system in the foreground says where it is and goes when it is told to, however far it got."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_anomod.host import ports, processes
from pytest_anomod.host.state import state_root
from pytest_anomod.model import clock

PROGRAM = Path(__file__).with_name("foreground.py")


@contextlib.contextmanager
def running(*words):
    """The program, killed at the latest when we are through."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def sessions_of(pid):
    return [path for path in (state_root() / "sessions").glob("up-*") if f'"pid": {pid},' in _read(path / "owner.json")]


def _read(path):
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    return ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_it_down_in_good_order(number):
    """On the port that was asked for; exit code 0 and nothing left."""
    base, descriptor = ports.claim_block()
    os.close(descriptor)
    with running(str(base + 33)) as process:
        lines = []
        while not lines or "is up" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        assert f"demo is up at http://127.0.0.1:{base + 33};" in lines[-1]
        assert sessions_of(process.pid)
        process.send_signal(number)
        assert process.wait(10) == 0
        assert not sessions_of(process.pid)
    assert ports.is_free(base + 33)


def test_a_signal_while_it_starts_takes_it_down_too():
    """No half of a system stays."""
    with running() as process:
        clock.wait_until(
            lambda: processes.tagged(lambda tag: tag.startswith(f"{process.pid}:")), timeout_s=10.0, what="the host"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, process.stderr.read()
        assert not sessions_of(process.pid)
        assert not processes.tagged(lambda tag: tag.startswith(f"{process.pid}:"))


def test_a_system_that_gets_lost_is_told():
    """Someone killed the host: the program does not go on as if nothing was."""
    with running() as process:
        while "is up" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        tagged = processes.tagged(lambda tag: tag.startswith(f"{process.pid}:"))
        host = next(pid for pid in tagged if "kit.host" in _read(Path(f"/proc/{pid}/cmdline")))
        os.kill(host, signal.SIGKILL)
        assert process.wait(10) != 0
        assert "system 'demo' was lost while it ran" in process.stderr.read()
        assert not sessions_of(process.pid)
