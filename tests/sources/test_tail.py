"""Tails give every whole line that was appended since the start, whatever happens to the file."""

from __future__ import annotations

import os
import time

import pytest

from pytest_anomod.sources._tail import Tail, settle


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"old\n")
    return path


@pytest.fixture
def tail(path):
    tail = Tail(path)
    tail.start()
    yield tail
    tail.close()


def append(path, text):
    with path.open("ab") as file:
        file.write(text)


def test_only_what_comes_after_the_start_is_read(path, tail):
    append(path, b"one\ntwo\n")
    assert list(tail.lines()) == [b"one", b"two"]
    assert tail.torn == 0


def test_a_torn_last_line_is_counted_and_not_given(path, tail):
    append(path, b"one\ntw")
    assert list(tail.lines()) == [b"one"]
    assert tail.torn == 1


def test_a_file_that_comes_later_is_read_from_its_beginning(tmp_path):
    tail = Tail(tmp_path / "later.log")
    tail.start()
    append(tmp_path / "later.log", b"one\n")
    assert list(tail.lines()) == [b"one"]


def test_a_file_that_never_comes_has_no_lines(tmp_path):
    tail = Tail(tmp_path / "never.log")
    tail.start()
    assert list(tail.lines()) == []
    assert tail.torn == 0


def test_a_rotated_file_is_read_on_both_sides_of_the_rotation(path, tail):
    append(path, b"one\n")
    path.rename(path.with_suffix(".1"))
    append(path.with_suffix(".1"), b"two\n")
    path.write_bytes(b"three\n")
    assert list(tail.lines()) == [b"one", b"two", b"three"]


def test_a_deleted_file_is_still_read(path, tail):
    append(path, b"one\n")
    path.unlink()
    assert list(tail.lines()) == [b"one"]


def test_a_file_that_was_cut_is_read_from_its_beginning_and_the_loss_is_counted(path, tail):
    append(path, b"one\ntwo\n")
    tail.look()
    os.truncate(path, 0)
    append(path, b"three\n")
    assert list(tail.lines()) == [b"three"]
    assert tail.torn == 1


def test_settling_waits_for_a_writer_and_no_longer_than_it_may(path, tail):
    started = time.monotonic()
    settle([tail], most_s=60)
    assert time.monotonic() - started < 50
    started = time.monotonic()
    settle([_Growing()], most_s=0.35)
    assert time.monotonic() - started > 0.3


class _Growing:
    def __init__(self):
        self.bytes = 0

    def size(self):
        self.bytes += 1
        return self.bytes
