"""Runs a program of the user's to its end, within a time, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """Exit code (None when it took too long and was killed) and the last line that it wrote to stderr or stdout."""

    code: int | None
    said: str


def run(argv: Sequence[str], *, cwd: Path, timeout_s: float) -> Ended:
    """Run a program in a session of its own; with it ends whatever it started. OSError when it can't be started."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    code: int | None = None
    output = b""
    try:
        output, _ = process.communicate(timeout=timeout_s)
        code = process.returncode
    except subprocess.TimeoutExpired:
        pass  # the code stays None
    finally:
        with contextlib.suppress(ProcessLookupError):  # nothing of it is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return Ended(code, lines[-1].strip() if lines else "")
