"""Waiting that knows how busy the machine is: windows that begin anew, and deadlines that count calm time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from pytest_anomod.host.pressure import Pressure, meter
from pytest_anomod.model import clock
from pytest_anomod.model.errors import BusyMachineError, DeploymentError, InjectionError
from pytest_anomod.model.fault import Json

LOOK_S = 0.5
JUDGED_FROM_S = 3.0
"""A window that was so long and too busy so far is given up at once."""
NOW_S = 3.0
"""The last seconds that tell whether the machine is busy now."""
PRESSED_SHARE = 0.25
"""Share of a wait in which the machine must have been too busy to be the reason why it was in vain."""


class Patience:
    """How long an attempt may wait, in all windows together, for a calm machine and for users to be served again."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.left_s = seconds

    def spend(self, seconds: float) -> bool:
        """Take some of it; False when it is used up."""
        self.left_s = max(0.0, self.left_s - seconds)
        return self.left_s > 0


class CalmDeadline:
    """A time limit that does not count while the machine is too busy, as long as there is patience."""

    def __init__(self, seconds: float, patience: Patience) -> None:
        self._left_s, self._patience = seconds, patience
        self._begun_s = self._looked_s = clock.monotonic_s()
        self._start_ns = clock.now_ns()
        self.busy_s = 0.0
        """Time that was not counted."""
        self._pressed_s, self._busy_now, self._figures = 0.0, False, ""

    def over(self) -> bool:
        """Whether the time is up."""
        now_s = clock.monotonic_s()
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        pressure = pressure_since(clock.now_ns() - int(NOW_S * clock.NS_PER_S))
        self._busy_now = pressure.too_busy
        if self._busy_now:
            self._pressed_s, self._figures = self._pressed_s + passed_s, pressure.sentence()
        if self._busy_now and self._patience.left_s > 0:
            self._patience.spend(passed_s)
            self.busy_s += passed_s
        else:
            self._left_s -= passed_s
        return self._left_s <= 0

    def uncounted(self) -> dict[str, Json]:
        """The time that was not counted, and how busy the machine was since the start; {} if all was counted."""
        return {"busy_s": self.busy_s, "why": pressure_since(self._start_ns).sentence()} if self.busy_s else {}

    def said(self) -> str:
        """The time that was not counted, as the end of a sentence; "" if all was counted."""
        return f" ({self.busy_s:.0f} s more while the machine was too busy)" if self.busy_s >= 1 else ""

    def blame(self, failed: str) -> None:
        """What was waited for did not come: BusyMachineError, with the figures, if the machine may be the reason.

        It may be if it is too busy now, or was in PRESSED_SHARE of the time, whether patience was left then or not.
        """
        waited_s = clock.monotonic_s() - self._begun_s
        if self._busy_now or self._pressed_s > PRESSED_SHARE * waited_s:
            msg = f"the machine was too busy in {self._pressed_s:.0f} of {waited_s:.0f} s ({self._figures}): {failed}"
            raise BusyMachineError(msg)


def pressure_since(start_ns: int) -> Pressure:
    """What the machine was like from a moment on."""
    return meter().pressure(start_ns)


@contextlib.contextmanager
def unless_busy(what: str) -> Iterator[None]:
    """What fails inside while the machine is too busy is no fault of the system: BusyMachineError, with the figures."""
    start_ns = clock.now_ns()
    pressure_since(start_ns)  # have the meter look from the first moment on
    try:
        yield
    except (InjectionError, DeploymentError, TimeoutError) as error:
        pressure = pressure_since(start_ns - int(NOW_S * clock.NS_PER_S))
        if not pressure.too_busy:
            raise
        msg = f"the machine was too busy ({pressure.sentence()}): {what} failed: {error}"
        raise BusyMachineError(msg) from error


def calm_window(length_s: float, patience: Patience, begin_anew: Callable[[], object], what: str) -> dict[str, Json]:
    """Wait for a window of that length in which the machine was calm; return its start, and how often it began anew.

    One that turns out too busy begins anew, and `begin_anew` is called. BusyMachineError, with the figures, when
    patience ends first.
    """
    pressure_since(clock.now_ns())  # have the meter look from the first moment on
    began_s = clock.monotonic_s()
    start_ns, start_s, anew = clock.now_ns(), began_s, []
    while True:
        passed_s = clock.monotonic_s() - start_s
        pressure = pressure_since(start_ns)
        if passed_s >= min(JUDGED_FROM_S, length_s) and pressure.too_busy:
            if not patience.spend(passed_s):
                waited_s = clock.monotonic_s() - began_s
                msg = (
                    f"the machine was too busy for {what} of {length_s:g} s, {waited_s:.0f} s long: "
                    f"{pressure.sentence()}"
                )
                raise BusyMachineError(msg)
            anew.append(pressure.sentence())
            start_ns, start_s = clock.now_ns(), clock.monotonic_s()
            begin_anew()
            continue
        if passed_s >= length_s:
            break
        clock.sleep(min(LOOK_S, length_s - passed_s))
    return {
        "waited_s": clock.monotonic_s() - began_s,
        "from_unix_nano": start_ns if anew else None,
        "begun_anew": len(anew),
        "why": anew[-1] if anew else "",
        "pressure": pressure.told(),
    }
