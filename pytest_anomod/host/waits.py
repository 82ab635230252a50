"""Waits for other processes of this machine: how long this process has waited, and telling the user for whom."""

from __future__ import annotations

from collections.abc import Callable

from pytest_anomod.model import clock
from pytest_anomod.model.errors import SafetyError

TELL_AFTER_S = 30.0
"""A wait is told of after so long: most cases that share two cores wait for less."""


class Waits:
    """The waits of this process: one at a time, or one within another."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Waited so far, all together."""
        self.say: Callable[[str], object] = lambda line: None
        """Takes the line that tells the user of a long wait."""

    def until(
        self, had: Callable[[], bool], what: str, holders: Callable[[], str], *, give_up_s: float, every_s: float
    ) -> None:
        """Try every so many seconds to have something; the user is told once, after TELL_AFTER_S, who holds it.

        SafetyError when the monotonic clock is at `give_up_s`.
        """
        begin_s, before_s, told = clock.monotonic_s(), self.seconds, False
        try:
            while not had():
                now_s = clock.monotonic_s()
                if now_s >= give_up_s:
                    msg = f"waited {now_s - begin_s:.3g} s for {what}, held by {holders()}; end that or wait"
                    raise SafetyError(msg)
                if not told and now_s - begin_s >= TELL_AFTER_S:
                    self.say(f"waiting for {what}, held by {holders()}; end that or wait")
                    told = True
                clock.sleep(every_s)
        finally:
            self.seconds = before_s + clock.monotonic_s() - begin_s  # a wait within this one counts once


waits = Waits()
"""Those of this process."""
