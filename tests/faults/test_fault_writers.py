"""The writers: that they keep the disk's queue full, end when they should, and leave no file behind."""

from __future__ import annotations

import os
import threading
import time
import types
from pathlib import Path

import psutil
from programs import running, until

from pytest_anomod.faults.helpers import writers

SMALL = {"writers": 2, "block_kb": 256, "total_mb": 8, "budget_gb": 5, "stall_ms": 2, "deadline_s": 20}


def written(pid: int) -> int:
    return psutil.Process(pid).io_counters().write_bytes


def test_they_write_more_than_they_take_up_and_have_no_files_to_leave(tmp_path):
    """The same 8 MB are written over again and again; the directory looks empty all the time."""
    with running("writers", directory=tmp_path, **SMALL) as child:
        until(lambda: written(child.pid) > 16 << 20)
        assert list(tmp_path.iterdir()) == []
        held = sum(file.stat().st_size for file in open_files(child.pid, tmp_path))
        assert held <= 9 << 20
        child.terminate()
        assert child.wait(15) == 0  # long before its deadline
    assert list(tmp_path.iterdir()) == []


def test_no_write_waits_for_a_flush_of_the_disk(tmp_path):
    """All writers would wait for the same flush, and the queue were empty then: only the look at others' waits does."""
    with running("writers", directory=tmp_path, **SMALL) as child:
        until(lambda: written(child.pid) > 16 << 20)
        flags = [flags_of(file) for file in open_files(child.pid, tmp_path)]
    assert sorted(bool(flag & os.O_DSYNC) for flag in flags) == [False] * SMALL["writers"] + [True]


def test_as_many_write_as_it_takes():
    """More of them while others wait less than wanted, up to all; fewer, down to one, while they wait for too long."""
    load = writers.Load(writers=64, budget_bytes=1e9)
    for _ in range(20):
        load.adjust([0.001, 0.002, 0.5], wanted_s=0.04)
    assert load.depth == 64
    before = load.depth
    load.adjust([0.04, 0.05, 0.06], wanted_s=0.04)
    assert load.depth == before
    for _ in range(40):
        load.adjust([0.2, 0.2, 0.2], wanted_s=0.04)
    assert load.depth == 1


def test_a_writer_that_is_not_needed_waits_and_ends_with_the_others():
    """It writes nothing meanwhile."""
    load = writers.Load(writers=64, budget_bytes=1e9)
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(load.may_write(63)))
    waiting.start()
    time.sleep(0.05)
    assert load.may_write(0)
    assert answers == []
    load.end()
    waiting.join(10)
    assert answers == [False]


def test_a_writer_makes_no_pause(monkeypatch):
    """Between two writes the queue would run empty: the next begins at once, whoever is asked for the time."""
    places = []
    monkeypatch.setattr(writers.os, "pwrite", lambda _, block, offset: places.append(offset) or len(block))
    monkeypatch.setattr(writers, "time", types.SimpleNamespace())  # neither sleeps nor tells
    writers._write(writers.Load(writers=1, budget_bytes=400), 0, -1, bytes(100), 250)
    assert places == [0, 100, 0, 100]


def test_they_end_when_their_budget_is_written(tmp_path):
    """A case that was forgotten can't wear out a disk."""
    with running("writers", directory=tmp_path, **{**SMALL, "budget_gb": 0.02}) as child:
        assert child.wait(5) == 0


def test_they_refuse_a_disk_without_room(tmp_path):
    """They say how much is free and how much is needed."""
    with running("writers", directory=tmp_path, **{**SMALL, "total_mb": 1 << 30}) as child:
        assert child.wait(5) == 3
        assert b"MB are needed" in child.stderr.read()


def open_files(pid: int, directory):
    """What a process has open below a directory, names or not."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return [link for link in links if str(directory) in str(link.readlink())]


def flags_of(descriptor: Path) -> int:
    """What a file was opened with."""
    lines = (descriptor.parents[1] / "fdinfo" / descriptor.name).read_text().splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
