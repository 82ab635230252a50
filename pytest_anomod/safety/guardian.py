"""Starts the guardian of a session and ends it; its program is helpers/watch.py."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

from pytest_anomod.model.errors import SafetyError
from pytest_anomod.safety.helpers import watch
from pytest_anomod.safety.helpers.watch import JOURNAL, LOCK, OWNER

__all__ = ["JOURNAL", "OWNER", "dismiss_guardian", "ensure_guardian", "guardian_alive", "report_path"]

_GUARDIANS: dict[Path, subprocess.Popen[bytes]] = {}
"""Keeps the pipes open: their end is the guardians' fallback sign of our death."""


def guardian_alive(directory: Path) -> bool:
    """Whether a guardian watches this session: it holds a lock for as long as it lives, and must not be stopped."""
    try:
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return not _is_stopped(os.pread(descriptor, 32, 0).decode())
    finally:
        os.close(descriptor)
    return False


def _is_stopped(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid.strip()}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False


def ensure_guardian(directory: Path, *, use_pidfd: bool = True) -> int | None:
    """Start a guardian for this session unless one watches it; returns its pid if it was started.

    Must be called by the session's owner. SafetyError when no guardian comes up. Without `use_pidfd` (and where there
    is none) the guardian watches its parent and a pipe instead.
    """
    if guardian_alive(directory):
        return None
    owner = json.loads((directory / OWNER).read_text())
    if owner["pid"] != os.getpid():
        msg = f"session {directory} has no guardian, and only its owner (process {owner['pid']}) can start one"
        raise SafetyError(msg)
    pid = _start(directory, use_pidfd=use_pidfd)
    if not guardian_alive(directory):
        msg = f"no guardian came up for session {directory}, so nothing may be changed; see {report_path(directory)}"
        raise SafetyError(msg)
    return pid


def _start(directory: Path, *, use_pidfd: bool) -> int:
    """Start the program and wait for its greeting (or its end)."""
    owner_fd = -1
    if use_pidfd and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # a kernel or sandbox without it: the guardian watches its parent
            owner_fd = os.pidfd_open(os.getpid())
    report = report_path(directory)
    report.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        with report.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", watch.__file__, str(directory), str(os.getpid()), str(owner_fd)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                cwd="/",
                pass_fds=() if owner_fd < 0 else (owner_fd,),
            )
    finally:
        if owner_fd >= 0:
            os.close(owner_fd)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    _GUARDIANS[directory] = process
    return process.pid


def dismiss_guardian(directory: Path, timeout_s: float = 3.0) -> None:
    """Tell the guardian to leave, once nothing is open, and wait for it."""
    process = _GUARDIANS.pop(directory, None)
    if directory.exists():
        watch.append_line(directory / JOURNAL, {"leave": True})
    if process is None:
        return
    with contextlib.suppress(OSError):
        process.stdin.close()  # type: ignore[union-attr]  # wakes it up
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def report_path(directory: Path) -> Path:
    """Outside the session's directory, which a guardian that had to act removes."""
    return directory.parent.parent / "reports" / f"{directory.name}.log"
