"""Are users served as in the baseline again? One rule, by which a recovery ends and by which it is judged."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

TAIL_SHARE = 0.5
TAIL_LEAST_S = 2.5
"""The end of the recovery that must be like the baseline: a share of the recovery asked for, and at least so long."""
ERROR_RISE = 0.02
LATENCY_RATIO = 1.5
SPARE_MS = 2.0
"""A difference below this is none, whatever its ratio."""
BLOCK_S = 0.5


class Tail(NamedTuple):
    """The end of a recovery: its length, requests that began in it, those that failed, latency as a multiple."""

    length_s: float
    rows: int
    errors: int
    ratio: float

    def settled(self, usual_errors: float) -> bool:
        """Whether it is like a baseline in which that share of the requests failed."""
        most = max(1.0, (usual_errors + ERROR_RISE) * self.rows)
        return self.rows > 0 and self.errors <= most and self.ratio <= LATENCY_RATIO

    def sentence(self) -> str:
        """The figures in words."""
        return (
            f"in the last {self.length_s:.1f} s {self.errors} of {self.rows} requests failed, "
            f"latency {self.ratio:.2f} times the baseline's"
        )


def tail_length_s(window_s: float, recovery_s: float) -> float:
    """How long the end is of a recovery of `window_s`, where `recovery_s` were asked for."""
    return min(window_s, max(min(window_s, recovery_s) * TAIL_SHARE, TAIL_LEAST_S))


def tail_of(
    times_s: Sequence[float], failed: Sequence[bool], slow: Sequence[float], *, window_s: float, recovery_s: float
) -> Tail:
    """The end of a recovery, from its requests: start in seconds, failed or not, duration in multiples of the usual.

    Requests of a kind that the baseline does not know have NaN for a multiple. The latency is that of the best third
    of the end's blocks of half a second: a stall is no after-effect.
    """
    length_s = tail_length_s(window_s, recovery_s)
    late = [index for index, time_s in enumerate(times_s) if time_s >= window_s - length_s]
    blocks: dict[int, list[float]] = {}
    for index in late:
        multiple = float(slow[index])
        if multiple == multiple:  # no NaN
            blocks.setdefault(int(times_s[index] // BLOCK_S), []).append(multiple)
    medians = sorted(statistics.median(block) for block in blocks.values())
    better = medians[: (len(medians) + 2) // 3]
    return Tail(
        length_s=length_s,
        rows=len(late),
        errors=sum(bool(failed[index]) for index in late),
        ratio=statistics.fmean(better) if better else 1.0,
    )
