"""Looks at a fault: until it is there (or gone) without a break, and how often it is there during a window."""

from __future__ import annotations

import json
from collections.abc import Callable

from pytest_anomod.chaos.waiting import CalmDeadline, Patience
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Json

MOST_MISSES = 20
"""How many misses of the hold are kept with their evidence; all are counted."""

Observe = Callable[[], dict[str, Json]]


def streak(
    observe: Observe, streak_s: float, looks: int, every_s: float, timeout_s: float, failure: str, patience: Patience
) -> dict[str, Json]:
    """Look until `observe` was active without a break for `streak_s` and at least `looks` looks.

    A streak that is under way at the timeout may still come to its end; one break after it is the end. Time in which
    the machine is too busy does not count, as far as patience goes.
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
                raise InjectionError(msg)
        else:
            if in_streak == 0:
                streak_begin, first_ns = now, looked["time_unix_nano"]
            in_streak += 1
            if in_streak >= looks and now - streak_begin >= streak_s:
                return {"evidence": looked["evidence"], "first_ns": first_ns, "looks": total}
        clock.sleep(every_s)


def watch(observe: Observe, length_s: float, every_s: float) -> dict[str, Json]:
    """Look at the fault every `every_s` for `length_s`: in how many of the looks was it there?"""
    deadline = clock.monotonic_s() + length_s
    looks, missed = 0, 0
    misses: list[dict[str, Json]] = []
    evidence: Json = {}
    while True:
        looked = observe()
        looks += 1
        evidence = looked["evidence"] or evidence
        if not looked["active"]:
            missed += 1
            misses.append({key: value for key, value in looked.items() if key != "active"})
        left_s = deadline - clock.monotonic_s()
        clock.sleep(min(every_s, left_s))
        if left_s <= every_s:
            break
    return {
        "held_ratio": (looks - missed) / looks,
        "looks": looks,
        "missed": missed,
        "evidence": evidence,
        "misses": misses[:MOST_MISSES],
    }
