"""Looks at a fault: until it is there (or gone) without a break, and how often it is there during a window."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence

from pytest_anomod.chaos.waiting import CalmDeadline, Patience
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Json

MOST_MISSES = 20
"""How many misses of the hold are kept with their evidence; all are counted."""

Observe = Callable[[], dict[str, Json]]


def streak(
    observe: Observe,
    streak_s: float,
    looks: int,
    every_s: float,
    timeout_s: float,
    failure: str,
    patience: Patience,
    *,
    blames_machine: bool = False,
) -> dict[str, Json]:
    """Look until `observe` was active without a break for `streak_s` and at least `looks` looks.

    A streak that has begun at the timeout may still be completed; a break after the timeout ends the wait. Time in
    which the machine is too busy does not count, up to the case's patience; `uncounted` says how much, and why.
    InjectionError when there was no streak in time; with `blames_machine` BusyMachineError if the machine may be the
    reason.
    """
    deadline = CalmDeadline(timeout_s, patience)
    streak_begin, first_ns, in_streak, total = clock.monotonic_s(), 0, 0, 0
    while True:
        looked = observe()
        total += 1
        now, over = clock.monotonic_s(), deadline.over()
        if not looked["active"]:
            in_streak = 0
            if over:
                rest = {key: value for key, value in looked.items() if key not in ("active", "time_unix_nano")}
                msg = (
                    f"{failure} within {timeout_s:g} s{deadline.said()} and {total} looks; "
                    f"the last one: {json.dumps(rest)}"
                )
                if blames_machine:
                    deadline.blame(msg)
                raise InjectionError(msg)
        else:
            if in_streak == 0:
                streak_begin, first_ns = now, looked["time_unix_nano"]
            in_streak += 1
            if in_streak >= looks and now - streak_begin >= streak_s:
                return {
                    "evidence": looked["evidence"],
                    "first_ns": first_ns,
                    "looks": total,
                    "uncounted": deadline.uncounted(),
                }
        clock.sleep(every_s)


def watch(observers: Sequence[Observe], length_s: float, every_s: float) -> list[dict[str, Json]]:
    """Look at each fault every `every_s` for `length_s`: in how many of the looks was it there?

    They are looked at one after the other, so a slow look delays that of the next fault.
    """
    deadline = clock.monotonic_s() + length_s
    watched = [_Watched() for _ in observers]
    while True:
        for one, observe in zip(watched, observers, strict=True):
            one.add(observe())
        left_s = deadline - clock.monotonic_s()
        clock.sleep(min(every_s, left_s))
        if left_s <= every_s:
            return [one.said() for one in watched]


@dataclasses.dataclass(slots=True)
class _Watched:
    """What the looks at one fault saw."""

    looks: int = 0
    evidence: Json = dataclasses.field(default_factory=dict)
    misses: list[dict[str, Json]] = dataclasses.field(default_factory=list)

    def add(self, looked: dict[str, Json]) -> None:
        self.looks += 1
        self.evidence = looked["evidence"] or self.evidence
        if not looked["active"]:
            self.misses.append({key: value for key, value in looked.items() if key != "active"})

    def said(self) -> dict[str, Json]:
        missed = len(self.misses)
        return {
            "held_ratio": (self.looks - missed) / self.looks,
            "looks": self.looks,
            "missed": missed,
            "evidence": self.evidence,
            "misses": self.misses[:MOST_MISSES],
        }
