"""Shared memory of killed databases is removed; that of others never."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from pytest_anomod.host import shm

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
LIBC.shmdt.argtypes = [ctypes.c_void_p]
KEY = 0x5A000000 | (os.getpid() & 0xFFFF)

pytestmark = pytest.mark.skipif(not Path("/proc/sysvipc/shm").exists(), reason="needs the kernel's list of segments")


@pytest.fixture
def segment():
    """A segment of our own, as a database makes one."""
    identifier = LIBC.shmget(KEY, 56, 0o1600)
    assert identifier >= 0, os.strerror(ctypes.get_errno())
    yield identifier
    LIBC.shmctl(identifier, 0, None)


@pytest.fixture
def data(tmp_path, segment):
    """The directory of a deployment with a database that uses the segment."""
    cluster = tmp_path / "stores/notes/cluster"
    cluster.mkdir(parents=True)
    lines = ("12345", str(cluster), "1795357871", "20001", "", "127.0.0.1", f"{KEY:10d} {segment:9d}", "ready   ")
    (cluster / "postmaster.pid").write_text("\n".join(lines) + "\n")
    return tmp_path


def listed(identifier):
    """Whether the kernel still has it."""
    return identifier in shm._listed()


def test_what_a_killed_database_left_is_removed(data, segment):
    """Found by the file in its data directory; a second time there is nothing to do."""
    assert shm.remove(shm.segments_of(data)) == 1
    assert not listed(segment)
    assert shm.remove(shm.segments_of(data)) == 0


def test_a_segment_in_use_stays(data, segment):
    """Someone is attached: it is alive."""
    address = LIBC.shmat(segment, None, 0)
    try:
        assert shm.remove(shm.segments_of(data)) == 0
        assert listed(segment)
    finally:
        LIBC.shmdt(address)


def test_an_id_given_to_another_is_anothers(segment):
    """Ids are used again; the key tells."""
    assert shm.remove([(KEY ^ 1, segment)]) == 0
    assert listed(segment)


def test_a_directory_that_vanishes_while_it_is_searched_is_no_error(data, segment, monkeypatch):
    """A dying host removes its own files while its guardian looks at them."""
    (data / "stores/gone").mkdir()
    scandir = os.scandir

    def vanishing(path="."):
        if str(path).endswith("gone"):
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert len(shm.segments_of(data)) == 1
