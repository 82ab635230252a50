"""Locks that all sessions of this user on this host share; they vanish with their holder, however it ends.

Who waits for one waits as long as its holder lives, unless told otherwise: `timeout_s`, then SafetyError.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_anomod.host import processes
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.host.waits import waits
from pytest_anomod.model import clock


def host_wide_lock(purpose: str, *, timeout_s: float = math.inf) -> contextlib.AbstractContextManager[None]:
    """Keep other faults that reach beyond their targets out; other cases go on beside this one.

    To keep those out too would cost some 30 s each time with four workers: three of them idle during its case, and
    before it while one another's windows end. For the 2 of 29 scenarios it makes 4 min 38 s some 5 min 40 s.
    """
    return _held("host", purpose, False, timeout_s)


@contextlib.contextmanager
def boot_lock(purpose: str, *, alone: bool = False, timeout_s: float = math.inf) -> Iterator[None]:
    """Hold the right to bring a system up: one at a time on a host, because a start disturbs other cases.

    `alone`: while no case is under way either, for a start that takes all cores for many seconds. Cores are leased
    within this lock, never around it: a case that is under way may be waiting for them.
    """
    with contextlib.ExitStack() as stack:
        _wish(stack, fcntl.LOCK_SH, timeout_s)
        stack.enter_context(_held("boot", purpose, False, timeout_s))
        if alone:
            stack.enter_context(_held("cases", purpose, False, timeout_s))
        yield


@contextlib.contextmanager
def case_lock(purpose: str, *, timeout_s: float = math.inf) -> Iterator[None]:
    """Keep boots out while a case is played; it begins after systems that are being brought up are up."""
    with contextlib.ExitStack() as stack:
        with contextlib.ExitStack() as wishes:
            _wish(wishes, fcntl.LOCK_EX, timeout_s)
            stack.enter_context(_held("cases", purpose, True, timeout_s))
        yield


def image_lock(purpose: str, *, timeout_s: float = 900.0) -> contextlib.AbstractContextManager[None]:
    """Hold the right to build an image: what another process builds right now need not be built twice."""
    return _held("image", purpose, False, timeout_s)


def generator_lock(purpose: str) -> contextlib.AbstractContextManager[None]:
    """Hold the right to have a suite generated: what another process has written by now need not be written twice."""
    return _held("generator", purpose, False, math.inf)


def project_lock(project: str, purpose: str) -> contextlib.AbstractContextManager[None]:
    """Hold a system that can be up only once on this machine, from before its start until it is down."""
    return _held(f"project-{project}".replace("/", "_"), purpose, False, math.inf)


@contextlib.contextmanager
def flocked(
    path: Path, what: str, holders: Callable[[], str], *, mode: int = fcntl.LOCK_EX, give_up_s: float = math.inf
) -> Iterator[None]:
    """Hold the kernel's lock on a file, which is made if need be; SafetyError at `give_up_s` (monotonic clock)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def had() -> bool:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        waits.until(had, what, holders, give_up_s=give_up_s, every_s=0.03)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a fork of ours may still hold the descriptor
        os.close(descriptor)


def _wish(stack: contextlib.ExitStack, mode: int, timeout_s: float) -> None:
    """Say that a system is to be brought up (shared), or that none is to be now (exclusive)."""
    directory = make_directory(state_root() / "locks")
    stack.enter_context(_file(directory, "boot-wish", "boot", mode, clock.monotonic_s() + timeout_s))


@contextlib.contextmanager
def _held(name: str, purpose: str, shared: bool, timeout_s: float) -> Iterator[None]:
    directory = make_directory(state_root() / "locks")
    give_up_s = clock.monotonic_s() + timeout_s
    with contextlib.ExitStack() as stack:
        # the gate makes sharers queue behind an exclusive request, which waits for all of them
        with _file(directory, f"{name}-gate", name, fcntl.LOCK_EX, give_up_s):
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            stack.enter_context(_file(directory, name, name, mode, give_up_s))
        stack.enter_context(_noted(directory / f"{name}.holders", purpose))
        yield


def _file(
    directory: Path, file: str, name: str, mode: int, give_up_s: float
) -> contextlib.AbstractContextManager[None]:
    """One of the files that make up the lock of that name."""
    path = directory / f"{file}.lock"
    return flocked(path, f"the {name} lock", lambda: _holders(directory, name), mode=mode, give_up_s=give_up_s)


@contextlib.contextmanager
def _noted(directory: Path, purpose: str) -> Iterator[None]:
    """A note, as long as the lock is held, for those who wait and want to know for whom."""
    note = make_directory(directory) / f"{os.getpid()}-{clock.now_ns()}.json"
    started = processes.start_time(os.getpid())
    note.write_text(json.dumps({"pid": os.getpid(), "start_time": started, "purpose": purpose}))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _holders(directory: Path, name: str) -> str:
    found = []
    for note in sorted((directory / f"{name}.holders").glob("*.json")):
        with contextlib.suppress(OSError, ValueError):  # gone or half written: its holder comes or goes right now
            holder = json.loads(note.read_text())
            if processes.is_same(holder["pid"], holder["start_time"]):
                found.append(f"process {holder['pid']} ({holder['purpose']})")
            else:
                note.unlink(missing_ok=True)
    return ", ".join(found) or "a process that waits for it too"
