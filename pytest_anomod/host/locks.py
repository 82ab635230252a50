"""Locks that all sessions of this user on this host share; they vanish with their holder, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_anomod.host import processes
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError

REPORT_AFTER_S = 10.0


def host_wide_lock(
    purpose: str,
    *,
    shared: bool = False,
    timeout_s: float = 3_600.0,
    on_wait: Callable[[str], None] | None = None,
) -> contextlib.AbstractContextManager[None]:
    """Hold the host: exclusively for a fault that reaches beyond its target, `shared` by cases that it would disturb.

    An exclusive request comes before later shared ones. `on_wait` is told every 10 s who holds it.
    SafetyError after `timeout_s` seconds.
    """
    return _held("host", purpose, shared, timeout_s, on_wait)


@contextlib.contextmanager
def boot_lock(
    purpose: str,
    *,
    alone: bool = False,
    timeout_s: float = 3_600.0,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold the right to bring a system up: one at a time on a host, because a start disturbs other cases.

    `alone`: while no case is under way either, for a start that takes all cores for many seconds.
    """
    with contextlib.ExitStack() as stack:
        _wish(stack, fcntl.LOCK_SH, timeout_s, on_wait)
        stack.enter_context(_held("boot", purpose, False, timeout_s, on_wait))
        if alone:
            stack.enter_context(_held("cases", purpose, False, timeout_s, on_wait))
        yield


@contextlib.contextmanager
def case_lock(
    purpose: str, *, timeout_s: float = 3_600.0, on_wait: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Keep boots out while a case is played; it begins after systems that are being brought up are up."""
    with contextlib.ExitStack() as stack:
        with contextlib.ExitStack() as wishes:
            _wish(wishes, fcntl.LOCK_EX, timeout_s, on_wait)
            stack.enter_context(_held("cases", purpose, True, timeout_s, on_wait))
        yield


def image_lock(purpose: str, *, timeout_s: float = 900.0) -> contextlib.AbstractContextManager[None]:
    """Hold the right to build an image: what another process builds right now need not be built twice."""
    return _held("image", purpose, False, timeout_s, None)


def generator_lock(purpose: str, *, timeout_s: float = 3_600.0) -> contextlib.AbstractContextManager[None]:
    """Hold the right to have a suite generated: what another process has written by now need not be written twice."""
    return _held("generator", purpose, False, timeout_s, None)


def project_lock(
    project: str, purpose: str, *, timeout_s: float = 3_600.0, on_wait: Callable[[str], None] | None = None
) -> contextlib.AbstractContextManager[None]:
    """Hold a system that can be up only once on this machine, from before its start until it is down."""
    return _held(f"project-{project}".replace("/", "_"), purpose, False, timeout_s, on_wait)


def _wish(stack: contextlib.ExitStack, mode: int, timeout_s: float, on_wait: Callable[[str], None] | None) -> None:
    """Say that a system is to be brought up (shared), or that none is to be now (exclusive)."""
    directory = make_directory(state_root() / "locks")
    _take(stack, directory, "boot-wish", mode, clock.monotonic_s() + timeout_s, timeout_s, "boot", on_wait)


@contextlib.contextmanager
def _held(
    name: str, purpose: str, shared: bool, timeout_s: float, on_wait: Callable[[str], None] | None
) -> Iterator[None]:
    directory = make_directory(state_root() / "locks")
    give_up = clock.monotonic_s() + timeout_s
    with contextlib.ExitStack() as stack:
        # the gate makes sharers queue behind an exclusive request, which waits for all of them
        with contextlib.ExitStack() as gate:
            _take(gate, directory, f"{name}-gate", fcntl.LOCK_EX, give_up, timeout_s, name, on_wait)
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            _take(stack, directory, name, mode, give_up, timeout_s, name, on_wait)
        stack.enter_context(_noted(directory / f"{name}.holders", purpose))
        yield


def _take(
    stack: contextlib.ExitStack,
    directory: Path,
    file: str,
    mode: int,
    give_up: float,
    timeout_s: float,
    name: str,
    on_wait: Callable[[str], None] | None,
) -> None:
    """Take one flock; held until the stack is left."""
    descriptor = os.open(directory / f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stack.callback(os.close, descriptor)
    stack.callback(fcntl.flock, descriptor, fcntl.LOCK_UN)  # a fork of ours may still hold the descriptor
    report_at = clock.monotonic_s() + REPORT_AFTER_S
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            return
        except OSError:
            pass  # held by another
        now = clock.monotonic_s()
        if now >= give_up:
            msg = f"waited {timeout_s:g} s for the {name} lock, held by {_holders(directory, name)}; end that or wait"
            raise SafetyError(msg)
        if on_wait is not None and now >= report_at:
            on_wait(f"waiting for the {name} lock, held by {_holders(directory, name)}")
            report_at = now + REPORT_AFTER_S
        clock.sleep(0.03)


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
