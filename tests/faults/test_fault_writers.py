"""The writers: that they write, end when they should, and leave no file behind."""

from __future__ import annotations

import psutil
from programs import HELPERS, running, until

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
    links = (HELPERS.__class__("/proc") / str(pid) / "fd").iterdir()
    return [link for link in links if str(directory) in str(link.readlink())]
