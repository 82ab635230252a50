"""Forking children that cannot outlive the host: signals, descriptors, process groups and the death signal."""

import contextlib
import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)
_PR_SET_NAME, _PR_SET_PDEATHSIG = 15, 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded once, before any fork


def fork(main: Callable[[], None], output: Path, keep: tuple[int, ...] = ()) -> int:
    """Run `main` in a child of its own process group and return its pid.

    The child writes stdout and stderr to `output`, keeps only the descriptors in `keep`, dies with this process, and
    exits 0 when `main` returns, 1 when it raises.
    """
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    try:
        pid = os.fork()
        if pid == 0:
            _child(main, output, keep, parent)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    with contextlib.suppress(OSError):  # both sides set it, whoever comes first
        os.setpgid(pid, pid)
    return pid


def _child(main: Callable[[], None], output: Path, keep: tuple[int, ...], parent: int) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        _redirect(output, keep)
        die_with(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        gc.freeze()  # what the parent made is never collected here
        main()
        status = 0
    except BaseException:  # nothing may escape into the parent's code below us on the stack
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _redirect(output: Path, keep: tuple[int, ...]) -> None:
    """Point every inherited descriptor at /dev/null.

    They are replaced and not closed: an object of the parent that closes "its" number later then cannot hit a new file.
    """
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in [int(name) for name in os.listdir("/dev/fd")]:
        if descriptor in (null, log, *keep):
            continue
        with contextlib.suppress(OSError):  # the one that listed the directory is closed by now
            os.fstat(descriptor)
            os.dup2(log if descriptor in (1, 2) else null, descriptor, inheritable=descriptor < 3)


def die_with(parent: int) -> None:
    """On Linux, have the kernel kill this process when the parent's ends. Elsewhere our own children watch getppid."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def set_title(name: str) -> None:
    """Show a name in process lists (15 characters, Linux)."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def kill_group(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal a child's whole process group; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def last_lines(path: Path, count: int = 15) -> str:
    """The last lines of a log, for an error message; "" when there is none."""
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    return ""
