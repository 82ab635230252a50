"""Holds a process tree and its own busy children to a share of every period, by SIGSTOP and SIGCONT.

A stand-alone program of the standard library: `governor.py --pid P --duty-ms D --period-ms T --burners N
--deadline-s S`. However it ends, the target goes on: by the `finally` of its loop, and after a SIGKILL by a keeper
process that watches the governor. The burners are stopped together with the target: both live on one budget.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys
import time

RESCAN_S = 0.5


def main() -> int:
    """Parse the command line, start keeper and burners, hold the loop; 0 at the deadline or when the target is gone."""
    arguments = _arguments()
    ending = _end_on_signals()
    start_key = _start_key(arguments.pid)
    _keeper(arguments.pid, start_key)
    burners = [_burner() for _ in range(arguments.burners)]
    try:
        _hold(arguments, start_key, burners, ending)
    finally:
        _signal_all(_tree(arguments.pid), signal.SIGCONT)
        for pid in burners:
            _signal_all([pid], signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--duty-ms", type=float, required=True)
    parser.add_argument("--period-ms", type=float, required=True)
    parser.add_argument("--burners", type=int, required=True)
    parser.add_argument("--deadline-s", type=float, required=True)
    return parser.parse_args()


def _end_on_signals() -> list[int]:
    """A list that fills when we are told to end; the loop looks at it twice a period."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: received.append(number))
    return received


def _hold(arguments: argparse.Namespace, start_key: str, burners: list[int], ending: list[int]) -> None:
    """The duty cycle, on a grid of whole periods so that a late wake-up does not stretch the budget."""
    duty, period = arguments.duty_ms / 1e3, arguments.period_ms / 1e3
    started = time.monotonic()
    scanned, tree, turn = -RESCAN_S, [], 0
    while not ending and time.monotonic() - started < arguments.deadline_s:
        if _start_key(arguments.pid) != start_key:
            return  # the target is gone, or its pid is someone else's by now
        if turn * period - scanned >= RESCAN_S:
            tree, scanned = _tree(arguments.pid), turn * period
        _signal_all([*tree, *burners], signal.SIGCONT)
        _sleep_until(started + turn * period + duty)
        if ending:
            return
        _signal_all([*burners, *tree], signal.SIGSTOP)
        turn = max(turn + 1, int((time.monotonic() - started) / period))
        _sleep_until(started + turn * period)


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _burner() -> int:
    """Fork a child that only counts; it dies with us.

    It says when that is arranged: one that is stopped before it would stay for ever if we were killed then.
    """
    parent = os.getpid()
    told, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        os.read(told, 1)
        os.close(told)
        return pid
    _restore_signals()
    _die_with_parent()
    os.close(told)
    os.write(tell, b"1")
    os.close(tell)
    while os.getppid() == parent:
        for _ in range(50_000):
            pass
    os._exit(0)


def _keeper(target: int, start_key: str) -> None:
    """Fork a child that waits for our end, whatever it is, and then lets the target's processes go on."""
    parent = os.getpid()
    if os.fork():
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == parent:
        time.sleep(0.05)
    if _start_key(target) == start_key:
        _signal_all(_tree(target), signal.SIGCONT)
    os._exit(0)


def _restore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _start_key(pid: int) -> str:
    """What tells this process from a later one of the same pid; "" once it is gone (or where there is no /proc)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "alive" if sys.platform != "linux" and _exists(pid) else ""
    return "" if fields[0] in "ZX" else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _tree(pid: int) -> list[int]:
    """The process and all below it: a store has children of its own."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
            found.extend(int(text) for text in file.read().split())
    return found


if __name__ == "__main__":
    sys.exit(main())
