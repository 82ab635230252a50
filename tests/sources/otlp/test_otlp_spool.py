"""What is kept of OTLP payloads: all in order, in memory or in the file, until it is cleared."""

from __future__ import annotations

import pytest

from pytest_anomod.sources.otlp.spool import Spool


@pytest.mark.parametrize("in_memory", [10_000, 100])
def test_payloads_come_back_as_they_were(tmp_path, in_memory):
    spool = Spool(tmp_path, in_memory=in_memory, most=10_000)
    given = [(number, number % 4, bytes([number]) * number) for number in range(60)]
    assert all(spool.add(*payload) for payload in given)
    assert list(spool.payloads()) == given
    assert spool.add(60, 0, b"more")
    assert len(list(spool.payloads())) == 61
    spool.clear()
    assert list(spool.payloads()) == []
    spool.close()


def test_a_reading_ends_when_all_is_forgotten_and_takes_nothing_for_what_it_is_not(tmp_path):
    spool = Spool(tmp_path, in_memory=100, most=10_000)
    for number in range(3):
        spool.add(number, 0, b"x" * 50)
    reading = spool.payloads()
    assert next(reading)[0] == 0
    spool.clear()
    for number in range(50):
        spool.add(number, 0, b"\xff" * 77)
    assert list(reading) == []
    reading = spool.payloads()
    next(reading)
    spool.close()
    assert list(reading) == []


def test_what_has_no_room_is_told_and_leaves_the_rest_alone(tmp_path):
    spool = Spool(tmp_path, in_memory=10, most=100)
    assert spool.add(1, 0, b"x" * 50)
    assert not spool.add(2, 0, b"x" * 50)
    assert [came_ns for came_ns, _, _ in spool.payloads()] == [1]
    spool.close()
    assert not spool.add(3, 0, b"")


def test_a_disk_that_fails_costs_the_payload_and_no_more(tmp_path, monkeypatch):
    spool = Spool(tmp_path, in_memory=10, most=10_000)
    assert spool.add(1, 0, b"x" * 50)

    def write(data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spool._file, "write", write)
        assert not spool.add(2, 0, b"y" * 50)
    assert spool.add(3, 0, b"z")
    assert [payload[-1:] for _, _, payload in spool.payloads()] == [b"x", b"z"]
    spool.close()
