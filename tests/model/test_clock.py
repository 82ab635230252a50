"""The one door to time: ISO times exact to the digit, and waiting for a condition."""

from __future__ import annotations

import pytest

from pytest_anomod.model import clock
from pytest_anomod.testing import FakeClock

MOMENT = 1_795_324_213_000_000_000  # 2026-11-22T05:10:13Z


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("2026-11-22T05:10:13.923456+00:00", 923_456_000),
        ("2026-11-22T05:10:13+00:00", 0),  # isoformat leaves the fraction out when it is zero
        ("2026-11-22T05:10:13.923456", 923_456_000),  # older journals have no zone
        ("2026-11-22T05:10:13.9Z", 900_000_000),
        ("2026-11-22T06:10:13.000001+01:00", 1_000),
        ("2026-11-22T05:10:13.123456789Z", 123_456_789),
        ("2026-11-22T05:10:13.1234567891234Z", 123_456_789),
    ],
)
def test_iso_times_are_read_to_the_digit(text, nanos):
    assert clock.iso_to_ns(text) == MOMENT + nanos


@pytest.mark.parametrize("time_ns", [0, 1, MOMENT + 999_999_999, MOMENT + 1, -1, 2**62])
def test_what_is_written_is_read_back(time_ns):
    assert clock.iso_to_ns(clock.ns_to_iso(time_ns)) == time_ns


def test_wait_until_returns_what_it_waited_for():
    answers = iter([0, "", "there"])
    assert clock.wait_until(lambda: next(answers), timeout_s=5, what="it", every_s=0.001) == "there"


def test_wait_until_names_what_did_not_come(monkeypatch):
    fake = FakeClock().install(monkeypatch.setattr)
    begin = fake.monotonic_s()
    with pytest.raises(TimeoutError, match="waited 2 s for the moon, in vain"):
        clock.wait_until(lambda: False, timeout_s=2, what="the moon", every_s=0.5)
    assert fake.monotonic_s() - begin == 2


def test_a_negative_sleep_is_none():
    clock.sleep(-1)
