"""Locks between processes: exclusive, fair, told to those who wait, gone with their holder."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

import pytest

from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError
from pytest_anomod.runtimes import locks
from pytest_anomod.runtimes.locks import boot_lock, host_wide_lock

HOLD = """
import signal, sys
from pytest_anomod.runtimes.locks import host_wide_lock
with host_wide_lock("a neighbour's case", shared=sys.argv[1] == "shared"):
    print("held", flush=True)
    signal.pause()
"""


@contextlib.contextmanager
def held_elsewhere(mode="exclusive"):
    """Another process that holds the host until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, mode], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_one_at_a_time_and_the_holder_is_named():
    """In the error after the time is up, with pid and purpose."""
    with (
        held_elsewhere() as other,
        pytest.raises(SafetyError, match=rf"held by process {other.pid} \(a neighbour's case\)"),
        host_wide_lock("ours", timeout_s=0.1),
    ):
        pytest.fail("two hold it")


def test_a_killed_holder_holds_nothing():
    """The lock is the kernel's."""
    with held_elsewhere() as other:
        other.kill()
        with host_wide_lock("ours", timeout_s=5.0):
            pass


def test_sharers_share_and_keep_the_exclusive_out():
    """As many as like."""
    with (
        held_elsewhere("shared"),
        host_wide_lock("ours", shared=True, timeout_s=20.0),
        pytest.raises(SafetyError, match="a neighbour's case"),
        host_wide_lock("alone", timeout_s=0.1),
    ):
        pytest.fail("shared and exclusive at once")


def test_later_sharers_queue_behind_one_who_wants_it_alone():
    """Or a fault that needs the host would wait for ever."""
    order = []

    def alone():
        with host_wide_lock("alone", timeout_s=10.0):
            order.append("alone")

    def shared():
        with host_wide_lock("later", shared=True, timeout_s=10.0):
            order.append("later")

    with held_elsewhere("shared"):
        first = threading.Thread(target=alone)
        first.start()
        gate = locks.state_root() / "locks" / "host-gate.lock"
        clock.wait_until(lambda: _is_locked(gate), timeout_s=5.0, what="it to stand at the gate")
        second = threading.Thread(target=shared)
        second.start()
        second.join(0.2)
        assert order == []
    first.join()
    second.join()
    assert order == ["alone", "later"]


def test_those_who_wait_are_told_for_whom(monkeypatch):
    """Every so many seconds."""
    monkeypatch.setattr(locks, "REPORT_AFTER_S", 0.05)
    told = []
    with (
        held_elsewhere(),
        pytest.raises(SafetyError),
        host_wide_lock("ours", timeout_s=0.4, on_wait=told.append),
    ):
        pytest.fail("two hold it")
    assert len(told) >= 2
    assert "held by process" in told[0]


def test_starting_a_system_is_another_lock():
    """A case that has the host to itself may start its own."""
    with host_wide_lock("ours", timeout_s=20.0), boot_lock("ours", timeout_s=20.0):
        pass


def _is_locked(path):
    import fcntl

    with path.open("r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def test_a_case_waits_for_the_boots_of_others(tmp_path, monkeypatch):
    """Who comes after a boot that is under way goes on when it is over, and holds nobody up."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    over = threading.Event()
    waiter = threading.Thread(target=lambda: (locks.await_boots("a case"), over.set()))
    with boot_lock("a boot"):
        waiter.start()
        assert not over.wait(0.3)
    assert over.wait(20)
    waiter.join()
    with boot_lock("the next boot", timeout_s=5):
        pass
