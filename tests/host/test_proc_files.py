"""Files of /proc that stay open say what is so now, of that one process, and are no more than allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_anomod.host.proc_files import ProcFiles, read_once

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no /proc here")


@pytest.fixture
def files():
    kept = ProcFiles(3)
    yield kept
    kept.close()


@pytest.fixture
def process():
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_what_is_read_again_is_read_anew_and_not_opened_again(files, tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    before = _open()
    assert files.read(str(path)) == b"one"
    path.write_text("two")
    assert files.read(str(path)) == b"two" == read_once(str(path))
    assert _open() - before == 1


def test_a_process_that_is_gone_says_nothing_more(files, process):
    path = f"/proc/{process.pid}/stat"
    assert files.read(path).split()[0] == b"%d" % process.pid
    before = _open()
    process.kill()
    process.wait()
    assert files.read(path) == b"" == read_once(path)
    assert _open() - before == -1


def test_another_owner_of_the_same_name_is_looked_for_anew(files, tmp_path):
    path = tmp_path / "file"
    path.write_text("first")
    assert files.read(str(path), b"1") == b"first"
    (tmp_path / "next").write_text("second")
    (tmp_path / "next").replace(path)
    assert files.read(str(path), b"1") == b"first"  # as of a number that was given to another
    assert files.read(str(path), b"2") == b"second"


def test_no_more_stay_open_than_allowed_and_all_can_be_read(files, tmp_path):
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_text(path.name)
    before = _open()
    for _ in range(2):
        assert [files.read(str(path)).decode() for path in paths] == [path.name for path in paths]
    assert _open() - before == 3
    files.close()
    assert _open() == before


def _open() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_what_can_not_be_read_is_nothing(files):
    assert files.read("/proc/none") == b"" == read_once("/proc/none")
    assert files.read(str(Path("/proc/self/mem"))) == b""
