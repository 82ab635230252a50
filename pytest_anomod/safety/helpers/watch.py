"""The guardian: watches its session's owner from outside and has the undo journal played when that dies.

Run as a program of its own, in its own session, so that a SIGKILL of the owner's whole process group leaves it alone:

    python -I -S watch.py SESSION_DIRECTORY OWNER_PID OWNER_PIDFD(-1: none)

Of the standard library it imports little: it is there in some 30 ms. The playing is left to a fresh interpreter with
everything in it (`pytest_anomod.safety.undo`), started only when there is something to undo. This file also holds
the format of the journal, as both sides need it; one JSON object a line:

    {"id": "...", "at_unix_nano": ..., "entry": {...}, "deadline": {"monotonic_s": ..., "boot_id": "..."} | null}
    {"done": id}
    {"leave": true}
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

JOURNAL = "undo.jsonl"
OWNER = "owner.json"
LOCK = "guardian.lock"
PLAY_LIMIT_S = 30.0
"""A player that takes longer is killed and started again."""
RETRIES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Pauses before each attempt to play; after the last the next session's sweep has to do it."""
TICK_S = 0.5
"""How often the journal is looked at for overdue entries."""

PLAYER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_anomod.safety.undo import main; sys.exit(main(sys.argv[2:]))"
)


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Append one line to a journal and wait until it is on disk; a line torn by a crash is closed off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" * torn + json.dumps(line).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The open entries of a journal, oldest first, and whether the guardian was told to leave."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return [], False
    entries: dict[str, dict[str, Any]] = {}
    leave = False
    for raw in text.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue  # torn by a crash: then the change it announced was never made
        if "done" in line:
            entries.pop(line["done"], None)
        elif "leave" in line:
            leave = True
        else:
            entries[line["id"]] = line
    return list(entries.values()), leave


def main(argv: list[str]) -> int:
    """Watch until told to leave or until everything of a dead owner is undone."""
    directory, owner_pid, owner_fd = Path(argv[0]), int(argv[1]), int(argv[2])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0  # another one was quicker
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.write(1, b"ready\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _watch(directory, _owner_watch(owner_pid, owner_fd))
    return 0


def _watch(directory: Path, owner_is_dead: Callable[[float], bool]) -> None:
    boot_id = _owner(directory)["boot_id"]  # we were started in the same run of the kernel as our owner
    seen: set[str] = set()
    while True:
        dead = owner_is_dead(TICK_S)
        if not directory.exists():
            return
        entries, leave = read_lines(directory / JOURNAL)
        if dead or (leave and not entries):
            if dead:
                _play(directory, [])
            return
        overdue = [line["id"] for line in entries if line["id"] not in seen and _is_overdue(line, boot_id)]
        if overdue:
            seen.update(overdue)
            _play(directory, overdue)


def _is_overdue(line: dict[str, Any], boot_id: str) -> bool:
    deadline = line.get("deadline")
    return deadline is not None and deadline["boot_id"] == boot_id and time.monotonic() > deadline["monotonic_s"]


def _owner_watch(owner_pid: int, owner_fd: int) -> Callable[[float], bool]:
    """A function that waits up to so many seconds and says whether the owner is dead.

    The pidfd tells at once, whoever else holds the pipe open. Without one, EOF of the pipe is only a reason to look:
    a dead owner is no longer our parent.
    """
    poller = select.poll()
    poller.register(0, select.POLLIN | select.POLLHUP)
    if owner_fd >= 0:
        poller.register(owner_fd, select.POLLIN)
    pipe_open = True

    def owner_is_dead(timeout_s: float) -> bool:
        nonlocal pipe_open
        quick = owner_fd < 0
        for descriptor, _ in poller.poll(int((0.1 if quick else timeout_s) * 1000)):
            if descriptor == owner_fd:
                return True
            if pipe_open and not os.read(0, 64):
                pipe_open = False
                poller.unregister(0)
        return quick and os.getppid() != owner_pid

    return owner_is_dead


def _play(directory: Path, ids: list[str]) -> None:
    """Have the journal (or the entries named) played by a fresh interpreter, again and again until it succeeds."""
    owner = _owner(directory)
    argv = [owner["executable"], "-c", PLAYER, json.dumps(owner["sys_path"]), str(directory), *ids]
    for pause_s in RETRIES_S:
        time.sleep(pause_s)
        if _run(argv) == 0:
            return


def _owner(directory: Path) -> dict[str, Any]:
    owner: dict[str, Any] = json.loads((directory / OWNER).read_text())
    return owner


def _run(argv: list[str]) -> int:
    """Run a program with our stderr for both outputs; its exit code, or -1 when it took too long or can't start."""
    try:
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    except OSError as error:
        os.write(2, f"can't start {argv[0]}: {error}\n".encode())
        return -1
    give_up = time.monotonic() + PLAY_LIMIT_S
    while time.monotonic() < give_up:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
