"""Rank statistics of many small samples at once: one sort for all of them, sums by sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Samples one after the other: their values, the number of the sample of each value, how many values each has."""

    values: np.ndarray
    owners: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, parts: Sequence[np.ndarray]) -> Samples:
        """Samples from an array each."""
        import numpy as np

        sizes = np.array([len(part) for part in parts], dtype=np.int64)
        values = np.concatenate(parts) if parts else np.empty(0)
        return cls(values=values, owners=np.repeat(np.arange(len(parts)), sizes), sizes=sizes)

    def where(self, mask: np.ndarray) -> Samples:
        """The values of a mask; a sample may become empty."""
        import numpy as np

        owners = self.owners[mask]
        return Samples(values=self.values[mask], owners=owners, sizes=np.bincount(owners, minlength=len(self.sizes)))

    def divided(self, by: np.ndarray) -> Samples:
        """Each value divided by its sample's number."""
        return dataclasses.replace(self, values=self.values / by[self.owners])

    def typical(self, means: np.ndarray) -> np.ndarray:
        """Median of each sample, or the mean where `means` says so; NaN for an empty one."""
        import numpy as np

        typical = np.full(len(self.sizes), np.nan)
        present = np.flatnonzero(self.sizes)
        ordered = self.values[np.lexsort((self.values, self.owners))]
        starts = (np.cumsum(self.sizes) - self.sizes)[present]
        low, high = starts + (self.sizes[present] - 1) // 2, starts + self.sizes[present] // 2
        typical[present] = (ordered[low] + ordered[high]) / 2
        sums = np.bincount(self.owners, weights=self.values, minlength=len(self.sizes))
        chosen = means & (self.sizes > 0)
        typical[chosen] = sums[chosen] / self.sizes[chosen]
        return typical

    def pairs(self) -> Samples:
        """Each two neighbours as one sample."""
        return Samples(values=self.values, owners=self.owners // 2, sizes=self.sizes[::2] + self.sizes[1::2])

    def ranks(self) -> tuple[np.ndarray, np.ndarray]:
        """Rank of each value in its sample, from 1, ties sharing their mean; and each sample's sum of t^3 - t."""
        import numpy as np

        order = np.lexsort((self.values, self.owners))
        values, owners = self.values[order], self.owners[order]
        fresh = np.ones(len(values), dtype=bool)
        fresh[1:] = (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])
        first = np.flatnonzero(fresh)
        counts = np.diff(first, append=len(values))
        starts = np.cumsum(self.sizes) - self.sizes
        ranks = np.empty(len(values))
        ranks[order] = np.repeat(first + (counts + 1) / 2, counts) - starts[owners]
        tied = counts.astype(float)
        return ranks, np.bincount(owners[first], weights=tied**3 - tied, minlength=len(self.sizes))

    def deltas(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each two neighbours Cliff's delta of the second against the first, 0 if one is empty; and their ties."""
        import numpy as np

        ranks, ties = self.pairs().ranks()
        second = self.owners % 2 == 1
        n, m = self.sizes[::2].astype(float), self.sizes[1::2].astype(float)
        sums = np.bincount(self.owners[second] // 2, weights=ranks[second], minlength=len(n))
        above = 2 * sums - m * (m + 1) - n * m  # pairs in which the second is larger, less those in which it is smaller
        product = n * m
        return np.divide(above, product, out=np.zeros(len(n)), where=product > 0), ties
