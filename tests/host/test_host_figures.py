"""What a service uses is read straight from /proc, and is what psutil would say of it and its children."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import psutil
import pytest

from pytest_anomod.host import figures, processes
from pytest_anomod.model import clock

PARENT = textwrap.dedent(
    """
    import pathlib, subprocess, sys, threading, time
    def child():
        code = "import sys; x = bytearray(8 << 20); print('up', flush=True); sys.stdin.read()"
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        ready.release()
        sys.stdin.read()
        process.communicate()
    code = "import time\\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", code])  # one that has ended
    ready = threading.Semaphore(0)
    threads = [threading.Thread(target=child) for _ in range(2)]  # children of threads other than the first
    [thread.start() for thread in threads]
    [ready.acquire() for _ in threads]
    pathlib.Path(sys.argv[1]).write_bytes(bytes(5 << 20))
    print("up", flush=True)
    [thread.join() for thread in threads]
    """
)


@pytest.fixture
def family(tmp_path):
    """A process of three threads with two children, all of them idle."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "file")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"up\n"
        yield process
        process.kill()  # its children end with the pipes it held


def usage(stats):
    return stats.memory_bytes, stats.read_bytes, stats.written_bytes, stats.threads, stats.stopped


@pytest.mark.skipif(not figures._proc_tells(), reason="no /proc that lists children here")
def test_both_ways_to_look_see_the_same(family, monkeypatch):
    by_proc = figures.measure(family.pid, processes.start_time(family.pid))
    monkeypatch.setattr(figures, "_proc_tells", lambda: False)
    by_psutil = figures.measure(family.pid, processes.start_time(family.pid))
    assert usage(by_proc) == usage(by_psutil)
    assert by_proc.threads == 5
    assert by_proc.memory_bytes > 16 << 20
    assert by_proc.cpu_s == pytest.approx(by_psutil.cpu_s, abs=0.03)
    assert by_proc.cpu_s > 0.2  # with the child that has ended
    assert not by_proc.stopped


@pytest.mark.parametrize("known", [False, True])
def test_a_process_is_known_by_either_kind_of_start_time_and_no_other_is(family, known):
    started = processes.start_time(family.pid)
    epoch = psutil.Process(family.pid).create_time()
    for _ in range(1 + known):
        assert figures.measure(family.pid, started) is not None
        assert figures.measure(family.pid, epoch) is not None
        assert figures.measure(family.pid, None) is not None
        assert figures.measure(family.pid, started - 1) is None


def test_a_process_that_is_stopped_or_dead_says_so(family):
    process = psutil.Process(family.pid)
    process.suspend()
    clock.wait_until(lambda: figures.measure(family.pid, None).stopped, timeout_s=5, what="the process to be stopped")
    process.kill()
    psutil.wait_procs([process], timeout=5)
    assert figures.measure(family.pid, None) is None
