"""The p values of the proof: exact tails of three discrete distributions, and the normal approximation of a rank test.

They are sums of at most a few thousand terms; loading scipy for them costs a process half a second of CPU.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def fisher(before: tuple[int, int], after: tuple[int, int]) -> float:
    """One-sided p of Fisher's exact test that the share of events rose; each argument is (events, rows)."""
    import numpy as np

    (first, n), (second, m) = before, after
    total, events = n + m, first + second
    least, most = max(0, events - n), min(events, m)
    if second <= least:
        return 1.0
    # a tail of the hypergeometric distribution
    ways = _log_factorials(total)
    taken = np.arange(second, most + 1)
    logs = (
        (ways[events] - ways[taken] - ways[events - taken])
        + (ways[total - events] - ways[m - taken] - ways[total - events - m + taken])
        - (ways[total] - ways[m] - ways[n])
    )
    return float(min(1.0, np.exp(logs).sum()))


def poisson(first: int, second: int, share: float) -> float:
    """Two-sided p that of two Poisson counts the second has another part of their sum than `share`."""
    import numpy as np

    total = first + second
    if total == 0:
        return 1.0
    ways = _log_factorials(total)
    taken = np.arange(total + 1)
    logs = ways[total] - ways[taken] - ways[total - taken] + taken * math.log(share)
    chances = np.exp(logs + (total - taken) * math.log1p(-share))
    return float(min(1.0, 2.0 * min(chances[: second + 1].sum(), chances[second:].sum())))


def apart(n: int, m: int) -> float:
    """Two-sided p of two samples wholly apart: of all ways to split their rows, two are this extreme, ties or not."""
    return min(1.0, 2.0 / math.comb(n + m, n)) if n + m < 1000 else 0.0


def rank_normal(n: int, m: int, delta: float, ties: float) -> float:
    """Two-sided p of Mann-Whitney's U, normal approximation, corrected for ties (sum of t^3 - t) and continuity."""
    total = n + m
    spread = n * m / 12.0 * (total + 1 - ties / (total * (total - 1)))
    if spread <= 0:
        return 1.0
    distance = max(0.0, abs(delta) * n * m / 2.0 - 0.5)
    return math.erfc(distance / math.sqrt(2.0 * spread))


def rank_exact(n: int, m: int, delta: float) -> float:
    """Two-sided p of Mann-Whitney's U, exact; for small samples without ties."""
    larger = round((1.0 + abs(delta)) * n * m / 2.0)
    return min(1.0, 2.0 * float(_ways_of_u(n, m)[larger:].sum()) / math.comb(n + m, n))


@functools.lru_cache(maxsize=256)
def _ways_of_u(n: int, m: int) -> np.ndarray:
    """In how many ways U takes each value from 0 to n * m: the coefficients of the Gaussian binomial."""
    import numpy as np

    ways = np.zeros(n * m + 1, dtype=np.int64)
    ways[0] = 1
    for i in range(1, m + 1):
        ways[n + i :] -= ways[: len(ways[n + i :])].copy()  # times 1 - q^(n+i)
        for start in range(min(i, len(ways))):  # divided by 1 - q^i
            ways[start::i] = np.cumsum(ways[start::i])
    return ways


def _log_factorials(most: int) -> np.ndarray:
    return _log_factorials_up_to(max(10, most.bit_length()))


@functools.cache
def _log_factorials_up_to(bits: int) -> np.ndarray:
    import numpy as np

    return np.fromiter(map(math.lgamma, range(1, 2**bits + 1)), dtype=float, count=2**bits)
