"""A clock that moves only when someone sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_anomod.model import clock


class FakeClock:
    """A clock that moves only when someone sleeps; `install` puts it in the place of model.clock's functions."""

    def __init__(self, start_ns: int = 1_700_000_000 * clock.NS_PER_S) -> None:
        self.ns = start_ns
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return self.ns

    def monotonic_s(self) -> float:
        return self.ns / clock.NS_PER_S

    def sleep(self, seconds: float) -> None:
        self.slept.append(max(0.0, seconds))
        self.ns += int(max(0.0, seconds) * clock.NS_PER_S)

    def install(self, setattr_: Callable[[Any, str, Any], None]) -> FakeClock:
        """Replace now_ns, monotonic_s and sleep with `monkeypatch.setattr`; returns itself."""
        for name in ("now_ns", "monotonic_s", "sleep"):
            setattr_(clock, name, getattr(self, name))
        return self
