"""Whether a case may be used, and whether it is for training, calibration or test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from pytest_anomod.model.verdict import Verdict

UNUSABLE: Mapping[Verdict, str] = {
    Verdict.CONTAMINATED: "contaminated: something else was going on",
    Verdict.BROKEN: "broken: the case itself failed",
    Verdict.INEFFECTIVE: "ineffective: nothing proves that the fault was in",
}
"""Verdicts of cases whose label can't be relied on, and why. What no user felt was in all the same."""

SUPERSEDED = "superseded: the scenario was played again"

SHARES = (("train", 0.6), ("calibration", 0.2), ("test", 0.2))
"""The splits, and the share of groups of like cases that each gets."""


def unusable_because(verdict: Verdict) -> tuple[str, ...]:
    """Why a case of this verdict should not be used; () if it may be used."""
    return (UNUSABLE[verdict],) if verdict in UNUSABLE else ()


def split_of(system: str, faults: Sequence[tuple[str, str]], play: str = "") -> str:
    """train, calibration or test: drawn by a hash of what a case is, never of what other cases there are.

    All cases of the same faults at the same targets are in one split, whatever their severities, parameters, seeds and
    repetitions, so that none is tested on what it has seen; more cases, or fewer, leave all others where they are.
    `faults` are (fault, target); `play` is what tells controls apart, which have no fault in common.
    """
    key = "\x1f".join((system, *(word for pair in sorted(faults) for word in pair), play))
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    for name, share in SHARES:
        if drawn < share:
            return name
        drawn -= share
    return SHARES[-1][0]
