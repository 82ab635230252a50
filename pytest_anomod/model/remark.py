"""A remark on a line of a foreign file, before anything in it runs: done, partly done or refused, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import StrEnum


class Says(StrEnum):
    """What is done with a part of a file, the best first."""

    DOES = "does"
    PARTLY = "partly"
    REFUSED = "refused"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One row of the table that `anomod check` prints; `line` is 1-based, 0 for the file as a whole.

    `key` is what stands there ("delay.correlation", "NetworkChaos preserve-loss"), `why` one sentence.
    """

    line: int
    key: str
    says: Says
    why: str


def worst(remarks: Iterable[Remark]) -> Says:
    """What a file comes to: refused or partly as soon as one remark says so, and done without any."""
    order = list(Says)
    return max((remark.says for remark in remarks), key=order.index, default=Says.DOES)
