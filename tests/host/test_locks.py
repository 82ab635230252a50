"""Locks between processes: exclusive, fair, told to those who wait, gone with their holder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from pytest_anomod.host import waits as waits_module
from pytest_anomod.host.locks import boot_lock, case_lock, host_wide_lock
from pytest_anomod.host.waits import waits
from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError

HOLD = """
import signal
from pytest_anomod.host.locks import host_wide_lock
with host_wide_lock("a neighbour's case"):
    print("held", flush=True)
    signal.pause()
"""


@contextlib.contextmanager
def held_elsewhere():
    """Another process that holds the host until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
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


def test_who_waits_has_no_limit_and_is_told_once_for_whom(monkeypatch):
    """As long as the holder lives; a stopped one lives."""
    monkeypatch.setattr(waits_module, "TELL_AFTER_S", 0.05)
    told = []
    monkeypatch.setattr(waits, "say", told.append)
    with held_elsewhere() as other:
        os.kill(other.pid, signal.SIGSTOP)
        has, enough, thread = wants(host_wide_lock("ours"))
        clock.wait_until(lambda: told, timeout_s=20, what="the user to be told")
        assert not has.wait(0.3)
    assert has.wait(20)
    enough.set()
    thread.join()
    assert told == [f"waiting for the host lock, held by process {other.pid} (a neighbour's case); end that or wait"]


def test_starting_a_system_is_another_lock():
    """A case that has the host to itself may start its own."""
    with host_wide_lock("ours", timeout_s=20.0), boot_lock("ours", timeout_s=20.0):
        pass


@pytest.fixture
def another_host(tmp_path, monkeypatch):
    """Locks that no test beside this one holds or wants."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))


def wants(lock) -> tuple[threading.Event, threading.Event, threading.Thread]:
    """A thread that takes a lock and holds it until told: when it has it, what tells it, and itself."""
    has, enough = threading.Event(), threading.Event()

    def take():
        with lock:
            has.set()
            enough.wait(20)

    thread = threading.Thread(target=take)
    thread.start()
    return has, enough, thread


def test_a_case_waits_for_all_who_want_to_boot(another_host):
    """Also for those that wait for each other: the first case is not to begin between the starts of two workers."""
    with boot_lock("a boot"):
        next_has, next_enough, next_thread = wants(boot_lock("the next boot"))
        case_has, case_enough, case_thread = wants(case_lock("a case"))
        assert not case_has.wait(0.3)
    assert next_has.wait(20)
    assert not case_has.wait(0.3)
    next_enough.set()
    assert case_has.wait(20)
    with case_lock("another case", timeout_s=5):
        pass
    case_enough.set()
    next_thread.join()
    case_thread.join()


def test_a_boot_that_wants_it_waits_for_all_cases_and_comes_before_the_next(another_host):
    """A start of many containers in the middle of a case would make that another case."""
    with case_lock("a case"):
        boot_has, boot_enough, boot_thread = wants(boot_lock("containers", alone=True))
        assert not boot_has.wait(0.3)
        next_has, next_enough, next_thread = wants(case_lock("the next case"))
        assert not next_has.wait(0.3)
    assert boot_has.wait(20)
    assert not next_has.wait(0.3)
    boot_enough.set()
    assert next_has.wait(20)
    next_enough.set()
    boot_thread.join()
    next_thread.join()


def test_a_light_boot_waits_for_no_case(another_host):
    """Processes come up in a second or two: a case of five minutes is not to be waited for."""
    with case_lock("a case"), boot_lock("processes", timeout_s=5):
        pass
