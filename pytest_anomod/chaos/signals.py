"""Handles Ctrl-C and SIGTERM while an experiment is played: ends the method, undoes all, then raises."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from pytest_anomod.chaos import runs

_ENDING = (signal.SIGINT, signal.SIGTERM)
_OTHERS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived and what had been put in was taken out; ends a test session as Ctrl-C does."""


class Interrupts:
    """Our handlers, for as long as the experiment is played; only the main thread may enter.

    The first SIGINT or SIGTERM raises, which ends the method; from then on, and in every rollback, signals are only
    noted (and cut waiting short), so that nothing stops the undoing. A handler that ignores a signal is left alone.
    """

    def __init__(self) -> None:
        self.caught: int | None = None
        self.undoing = False
        self._originals: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._originals = {number: signal.getsignal(number) for number in (*_ENDING, *_OTHERS)}
        self.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._originals.items():
            _set(number, handler)

    def install(self) -> None:
        """Set our handlers; again once Chaos Toolkit has set its own: they lose signals or rollbacks."""
        for number in _ENDING:
            if self._originals[number] is not signal.SIG_IGN:
                _set(number, self._arrived)
        for number in _OTHERS:
            _set(number, self._originals[number])

    def error(self) -> BaseException | None:
        """What to raise for the caller: Terminated, KeyboardInterrupt, or None when no signal came."""
        if self.caught is None:
            return None
        if self.caught == signal.SIGTERM:
            return Terminated("SIGTERM arrived while an experiment was played")
        return KeyboardInterrupt("Ctrl-C arrived while an experiment was played")

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        self.caught = self.caught or number
        runs.hurry()
        if not self.undoing:
            self.undoing = True
            error = self.error()
            assert error is not None
            raise error


def _set(number: int, handler: Any) -> None:
    # None: it was not set from Python, and can't be set from here
    if handler is not None:
        signal.signal(number, handler)
