"""The only access to wall clock and sleep: the wall clock places events, the monotonic clock measures lengths."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable

NS_PER_S = 1_000_000_000
_FRACTION = re.compile(r"[.,](\d+)")


def now_ns() -> int:
    """UTC now, in nanoseconds since the Unix epoch."""
    return time.time_ns()


def monotonic_s() -> float:
    """Seconds on a clock that never steps back; only differences mean something."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait; use `wait_until` wherever there is a condition to wait for."""
    time.sleep(max(0.0, seconds))


def wait_until(condition: Callable[[], object], *, timeout_s: float, what: str, every_s: float = 0.02) -> object:
    """Poll `condition` until it is truthy and return its value; TimeoutError names `what` after `timeout_s` seconds."""
    deadline = monotonic_s() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if monotonic_s() >= deadline:
            msg = f"waited {timeout_s:g} s for {what}, in vain"
            raise TimeoutError(msg)
        sleep(every_s)


def iso_to_ns(text: str) -> int:
    """Nanoseconds of an ISO 8601 time, exact to the digit; without a zone it is UTC (as in older journals)."""
    fraction = _FRACTION.search(text)
    nanos = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    whole = text[: fraction.start()] + text[fraction.end() :] if fraction else text
    moment = dt.datetime.fromisoformat(whole.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    delta = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + nanos


def ns_to_iso(time_unix_nano: int) -> str:
    """ISO 8601 in UTC with nanoseconds, such as 2026-11-22T04:25:00.123456789Z."""
    seconds, nanos = divmod(time_unix_nano, NS_PER_S)
    return f"{dt.datetime.fromtimestamp(seconds, tz=dt.UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
