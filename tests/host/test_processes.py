"""Processes are named by pid and start time, found by their tag, and ended with all they started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pytest_anomod.host import processes
from pytest_anomod.model import clock


@pytest.fixture
def sleeper():
    """Starts a process that sleeps; `sleeper(tag)` gives it a tag."""
    started = []

    def start(tag="", argv=("sleep", "300")):
        environment = {**os.environ, processes.TAG: tag} if tag else None
        started.append(subprocess.Popen(list(argv), env=environment, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


BURNS = """
import sys, time
for line in sys.stdin:
    until = time.thread_time_ns() + 2_000_000
    while time.thread_time_ns() < until: pass
    print(flush=True)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="this kernel tells clock ticks alone")
def test_cpu_of_less_than_a_tick_is_seen():
    """As burners have it that may run 2 ms of 100: most such turns add no tick to /proc/PID/stat."""
    words = [sys.executable, "-I", "-S", "-c", BURNS]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(5):
            before = processes.cpu_s(process.pid)
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            clock.wait_until(
                lambda before=before: processes.cpu_s(process.pid) >= before + 0.0019, timeout_s=5, what="2 ms of CPU"
            )
        process.stdin.close()
    assert processes.cpu_s(process.pid) is None


def test_a_pid_given_to_another_is_another(sleeper):
    """Only pid and start time together name a process; psutil's times are understood too."""
    pid = sleeper().pid
    started = processes.start_time(pid)
    assert processes.is_same(pid, started)
    assert processes.is_same(pid, psutil.Process(pid).create_time())
    assert not processes.is_same(pid, started - 1.0)
    assert not processes.is_same(pid, psutil.Process(pid).create_time() - 10.0)


def test_a_process_that_waits_to_be_reaped_is_dead(sleeper):
    """A zombie holds nothing any more."""
    process = sleeper()
    started = processes.start_time(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    clock.wait_until(lambda: processes.start_time(process.pid) is None, timeout_s=20.0, what="its end")
    assert not processes.is_same(process.pid, started)


def test_a_child_that_is_reaped_leaves_no_pipe_open():
    """Else Python warns of it at the end of the run, which fails where warnings are errors."""
    child = subprocess.Popen(["sleep", "300"], stdin=subprocess.PIPE)
    processes.adopt(child)
    assert processes.reap(child.pid) is None
    child.kill()
    clock.wait_until(lambda: processes.reap(child.pid) is not None, timeout_s=20.0, what="its end")
    assert child.stdin.closed


def test_a_signal_reaches_no_one_else(sleeper):
    """With the wrong start time nothing is sent."""
    process = sleeper()
    assert not processes.send(process.pid, processes.start_time(process.pid) + 1.0, signal.SIGKILL)
    assert not processes.end(process.pid, processes.start_time(process.pid) + 1.0)
    assert process.poll() is None


def test_ending_takes_children_and_deaf_ones_along(sleeper, tmp_path):
    """A child that ignores SIGTERM, in a shell that is stopped: both end."""
    file = tmp_path / "child"
    script = f"trap '' TERM; sleep 300 & echo $! > {file}.part; mv {file}.part {file}; wait"
    process = sleeper(argv=("sh", "-c", script))
    clock.wait_until(file.exists, timeout_s=5.0, what="the child")
    child = int(file.read_text())
    os.kill(process.pid, signal.SIGSTOP)
    assert processes.end(process.pid, processes.start_time(process.pid), grace_s=0.1)
    assert processes.start_time(child) is None
    assert processes.start_time(process.pid) is None


def test_ending_lets_a_program_tidy_up(sleeper, tmp_path):
    """SIGTERM comes first, and within the grace time nothing else does."""
    ready, tidy = tmp_path / "ready", tmp_path / "tidy"
    script = f"trap 'echo yes > {tidy}; exit 0' TERM; echo > {ready}; while :; do sleep 0.01; done"
    process = sleeper(argv=("sh", "-c", script))
    clock.wait_until(ready.exists, timeout_s=5.0, what="the trap")
    processes.end(process.pid, processes.start_time(process.pid), grace_s=5.0)
    assert tidy.read_text() == "yes\n"


def test_only_the_tagged_are_found(sleeper):
    """By the whole tag; a process without one is never looked at twice."""
    tag = processes.own_tag("test/1")
    mine, other, none = sleeper(tag), sleeper(processes.own_tag("test/2")), sleeper()
    found = clock.wait_until(lambda: processes.tagged(lambda text: text == tag), timeout_s=20.0, what="the exec")
    assert list(found) == [mine.pid]
    assert other.poll() is None
    assert none.poll() is None


def test_a_tag_tells_whether_its_owner_lives():
    """Alive, dead, of another boot, of a place we can't see into, no tag of ours."""
    tag = processes.own_tag("name")
    pid, started, boot, place, name = tag.split(":")
    assert processes.owner_alive(tag) is True
    assert processes.owner_alive(":".join((pid, str(float(started) - 1), boot, place, name))) is False
    assert processes.owner_alive(":".join((pid, started, "00000000", place, name))) is False
    assert processes.owner_alive(":".join((pid, started, boot, "elsewhere/1", name))) is None
    assert processes.owner_alive(":".join((pid, started, "00000000", "elsewhere/1", name))) is None
    assert processes.owner_alive("nonsense") is None


def test_a_store_that_hides_its_tag_is_found_where_it_works(tmp_path):
    """By program and directory; another program in the same place is not."""
    copy = tmp_path / "bin" / "postgres"
    copy.parent.mkdir()
    copy.write_bytes(Path("/bin/sleep").read_bytes())
    copy.chmod(0o700)
    where = tmp_path / "data"
    where.mkdir()
    store = subprocess.Popen([copy, "300"], cwd=where)
    shell = subprocess.Popen(["sleep", "300"], cwd=where)
    try:
        found = clock.wait_until(lambda: processes.working_in(where, ("postgres",)), timeout_s=20.0, what="the exec")
        assert list(found) == [store.pid]
        assert not processes.working_in(tmp_path / "dat", ("postgres",))
    finally:
        for process in (store, shell):
            process.kill()
            process.wait()
