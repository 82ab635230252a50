"""Finds where on a fault's dial users begin to notice it (the edge), and derives severities from that."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Fault
from pytest_anomod.model.severity import SEVERITIES
from pytest_anomod.model.verdict import Verdict

WEAKER = -1.0
"""How far below severity 1 the search goes where users notice that, too: as far as severity 5 is above it."""
FELT: Mapping[Verdict, bool] = {Verdict.EFFECTIVE: True, Verdict.TOLERATED: False, Verdict.SILENT: False}
"""Whether users felt a fault, by verdict; other verdicts say nothing of it."""
NEAR = -0.02
"""A place so close below severity 1 is no other."""
ASIDE = (0.5, 0.25, 0.75)
"""Where between two values the next is looked for; the later ones where a play said nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """A dial as a line: place 0 is the value of severity 1, place 1 that of severity 5, in between by ratios."""

    parameter: str
    weak: float
    strong: float
    whole: bool
    """Whether values are integers."""

    def value(self, place: float) -> float:
        """The value at a place."""
        exact = self.weak * (self.strong / self.weak) ** place
        return round(exact) if self.whole else float(f"{exact:.4g}")

    def place(self, value: float) -> float:
        """The place of a value."""
        return math.log(value / self.weak) / math.log(self.strong / self.weak)

    def fault(self, fault: Fault, value: float) -> Any:
        """The fault with its dial at a value; ScenarioError when it can't have that."""
        made: Any = fault  # a Fault is a dataclass, which its protocol can't say
        return dataclasses.replace(made, **{self.parameter: value})


def scale_of(fault: Fault) -> Scale:
    """The line of a fault's dial; ScenarioError where it is not one number that has all five steps."""
    dial = fault.dial
    if set(dial) != set(SEVERITIES):
        had = f"only the steps {', '.join(map(str, sorted(dial)))}" if any(dial.values()) else "no dial"
        msg = f"fault {fault.name!r} has {had}: there is nothing between tolerated and effective to look for"
        raise ScenarioError(msg)
    values: dict[str, list[Any]] = {name: [dial[step].get(name) for step in SEVERITIES] for name in dial[1]}
    numbers = {
        name: found
        for name, found in values.items()
        if len({*found}) == len(found) and all(isinstance(value, int | float) and value > 0 for value in found)
    }
    if len(numbers) != 1:
        msg = f"the dial of fault {fault.name!r} turns {len(numbers)} numbers, and one is needed"
        raise ScenarioError(msg)
    ((name, found),) = numbers.items()
    default = getattr(fault, name)
    return Scale(name, found[0], found[-1], whole=isinstance(default, int) and all(isinstance(v, int) for v in found))


@dataclasses.dataclass(frozen=True, slots=True)
class Play:
    """One case of a calibration: the value, its verdict, and the share of requests that were affected."""

    value: float
    verdict: str
    affected: float | None = None

    @property
    def felt(self) -> bool | None:
        """Whether users felt it; None where the verdict says nothing of that."""
        return FELT.get(Verdict(self.verdict))


class Search:
    """Looks for the edge by bisection: `next` says which value to play, `add` takes what came of it.

    Near the edge verdicts differ from play to play, so both ends of the interval are played a second time. A value
    whose case can't be used (contaminated, or the probe could not see so little) is not played again.
    """

    def __init__(self, scale: Scale, *, plays: int, closeness: float) -> None:
        self.scale = scale
        self.plays: list[Play] = []
        self._most, self._closeness = plays, closeness
        self._floor = WEAKER
        self._refused: set[float] = set()

    def refuse(self, value: float, why: str) -> None:
        """Note that the fault can't have a value: it is gone around, or below severity 1 the next try is half as far.

        ScenarioError where it is severity 1 or 5: there is no line without its ends.
        """
        if value in (self.scale.value(0.0), self.scale.value(1.0)):
            msg = f"the dial begins or ends at {self.scale.parameter}={value:g}, which the fault can't have: {why}"
            raise ScenarioError(msg)
        self._refused.add(value)
        while self.scale.value(self._floor) in self._refused:
            self._floor /= 2

    def add(self, play: Play) -> None:
        """Take what came of a play."""
        self.plays.append(play)

    def next(self) -> float | None:
        """The value to play next; None at the end."""
        if len(self.plays) >= self._most:
            return None
        tried = {play.value for play in self.plays}
        for place in (0.0, 1.0):
            if self.scale.value(place) not in tried:
                return self.scale.value(place)
        tolerated, effective = self.interval
        if effective is None:
            return None
        weakest = min(tried, key=self.scale.place)
        if tolerated is None and weakest == effective:
            floor = self.scale.value(self._floor)
            return floor if self._floor < NEAR and floor not in tried else None
        low = weakest if tolerated is None else tolerated
        following = self._between(low, effective) if max(low / effective, effective / low) > self._closeness else None
        return following if following is not None else self._unsure(low, effective)

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """The strongest value up to which no play was felt, and the weakest from which on all were."""
        known = sorted(
            (self.scale.place(play.value), play.value, play.felt) for play in self.plays if play.felt is not None
        )
        unfelt = [place for place, _, felt in known if not felt]
        felt_at = [place for place, _, felt in known if felt]
        below = [value for place, value, felt in known if not felt and place < min(felt_at, default=math.inf)]
        above = [value for place, value, felt in known if felt and place > max(unfelt, default=-math.inf)]
        return (below[-1] if below else None), (above[0] if above else None)

    @property
    def why_none(self) -> str:
        """Why there is no edge, in a sentence; "" where there is one."""
        tolerated, effective = self.interval
        known = [play for play in self.plays if play.felt is not None]
        name = self.scale.parameter
        if not known:
            return "no play said whether users felt the fault"
        if effective is None:
            strongest = max(known, key=lambda play: self.scale.place(play.value))
            return f"users do not reliably feel it at {name}={strongest.value:g}, the strongest that was played"
        if tolerated is None:
            weakest = min(known, key=lambda play: self.scale.place(play.value))
            said = "the weakest that was played" if len(known) == len(self.plays) else "and plays of less said nothing"
            return f"users feel it at {name}={weakest.value:g} already, {said}"
        return ""

    def _between(self, weak: float, strong: float) -> float | None:
        """A value between two that was neither played nor refused."""
        known = self._refused | {play.value for play in self.plays}
        low, high = self.scale.place(weak), self.scale.place(strong)
        values = [self.scale.value(low + (high - low) * share) for share in ASIDE]
        return next((value for value in values if value not in known), None)

    def _unsure(self, low: float, high: float) -> float | None:
        """An end of the interval that was played once."""
        return next((end for end in (high, low) if sum(play.value == end for play in self.plays) == 1), None)


def severities(scale: Scale, tolerated: float, effective: float) -> dict[int, float]:
    """Values of severity 1 to 4: from the middle of the edge by equal ratios towards severity 5, which stays.

    ScenarioError where the edge is so close to severity 5 that there is no room.
    """
    edge = (scale.place(tolerated) + scale.place(effective)) / 2
    found = {step: scale.value(edge + (1 - edge) * (step - 1) / 4) for step in SEVERITIES[:-1]}
    if len({*found.values(), scale.strong}) < len(SEVERITIES):
        msg = f"users begin to notice at {scale.parameter}={effective:g}, too close to severity 5 ({scale.strong:g})"
        raise ScenarioError(msg)
    return found


def bars(plays: Sequence[Play], scale: Scale, width: int = 40) -> list[str]:
    """The curve as lines of text: value, verdict, and a bar as long as the share of requests that were affected."""
    lines = []
    for play in sorted(plays, key=lambda play: scale.place(play.value)):
        share = "" if play.affected is None else f"{'#' * round(width * play.affected):{width}} {play.affected:.0%}"
        lines.append(f"{scale.parameter}={play.value:<8g} {play.verdict:12} {share}".rstrip())
    return lines
