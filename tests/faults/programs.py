"""Running the helper programs of faults by themselves, without a deployment."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest_anomod.faults

HELPERS = Path(pytest_anomod.faults.__file__).with_name("helpers")


@contextlib.contextmanager
def running(program: str, **options: object):
    """A helper program as a child; told to end afterwards, and killed if it does not."""
    words = [text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    argv = [sys.executable, "-I", "-S", str(HELPERS / f"{program}.py"), *words]
    child = subprocess.Popen(argv, stderr=subprocess.PIPE)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        finally:
            child.kill()
            child.wait()
            child.stderr.close()


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, seconds: float = 20.0):
    """Poll until the condition holds and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {condition}")
