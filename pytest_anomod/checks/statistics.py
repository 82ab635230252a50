"""The statistics of the proof: how a figure moved between two windows, and whether that is more than noise.

A figure moved only if four things hold at once: the test's p, corrected for all figures looked at (Holm 1979), is below
ALPHA; the effect is large enough to matter; it is so without the highest two seconds of either window too (a stall of a
busy neighbour is no effect) and beyond the pace of the whole machine; and the windows' one-second blocks agree (rows of
a queueing system are no independent draws). docs/proof.md gives sources and simulated error rates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_anomod.checks import chances
from pytest_anomod.checks.ranks import Samples
from pytest_anomod.checks.shifts import HARMLESS, Series, Shift, Stretch, say_number

if TYPE_CHECKING:
    import numpy as np

ALPHA = 0.01
"""Family-wise error rate of one check, before the effect sizes and the guard against bursts cut it further."""

BLOCK_S = 1.0
BURST_S = 2.0
"""Longest stretch that may be explained by a stall: 1.5 s and the time to work off its queue."""

BURST_SHARE = 0.4
"""A burst is never taken for longer than this share of its window, so that short windows keep something to look at."""

MIN_ROWS = 5
BLOCK_DELTA = 0.6
"""Least Cliff's delta of the medians (or shares) of the windows' blocks."""

TRIM_RELIEF = 0.75
"""What is left of a share of failures without its worst burst must keep this much of its threshold."""

EXACT_ROWS = 20


def compare(series: Sequence[Series], *, pace: float = 1.0) -> tuple[Shift, ...]:
    """Test every series, correct for their number, and say which moved; strongest first.

    `pace` is how many times slower the whole machine was in the second window: durations are judged beyond it.
    """
    levels = iter(_levels([one for one in series if one.kind != "share"], pace))
    drafts = [_share(one) if one.kind == "share" else next(levels) for one in series]
    corrected = holm([shift.p for shift in drafts])
    shifts = [_settle(shift, p) for shift, p in zip(drafts, corrected, strict=True)]
    return tuple(sorted(shifts, key=lambda shift: -shift.strength))


def holm(values: Iterable[float]) -> list[float]:
    """Holm's step-down correction of p values, in their own order."""
    p = list(values)
    order = sorted(range(len(p)), key=p.__getitem__)
    corrected, running = [1.0] * len(p), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, p[index] * (len(p) - rank)))
        corrected[index] = running
    return corrected


def cliffs_delta(before: np.ndarray, after: np.ndarray) -> float:
    """P(after > before) - P(after < before): 1 when every later value is above every earlier one."""
    return float(Samples.of((before, after)).deltas()[0][0])


def rank_test(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Two-sided Mann-Whitney p and Cliff's delta; exact where the samples are small or wholly apart."""
    deltas, ties = Samples.of((before, after)).deltas()
    return _rank_p(len(before), len(after), float(deltas[0]), float(ties[0])), float(deltas[0])


def _rank_p(n: int, m: int, delta: float, ties: float) -> float:
    if abs(delta) == 1.0:
        return chances.apart(n, m)
    p = chances.rank_normal(n, m, delta, ties)
    return chances.rank_exact(n, m, delta) if p < ALPHA and max(n, m) <= EXACT_ROWS and not ties else p


def block_values(stretch: Stretch, *, mean: bool = False) -> np.ndarray:
    """The median (or mean) of each block that holds a row; blocks last BLOCK_S, or an eighth of a short window."""
    import numpy as np

    index = (stretch.times_s // block_length_s(stretch.length_s)).astype(int)
    _, owners, sizes = np.unique(index, return_inverse=True, return_counts=True)
    blocks = Samples(values=stretch.values, owners=owners, sizes=sizes)
    return blocks.typical(np.full(len(sizes), mean))


def block_counts(times_s: np.ndarray, length_s: float) -> Stretch:
    """Events a second in each whole block of a window, placed at the blocks' middles."""
    import numpy as np

    block = block_length_s(length_s)
    count = max(1, int(length_s / block + 1e-9))
    counts = np.bincount(np.clip((times_s // block).astype(int), 0, count), minlength=count + 1)[:count]
    return Stretch(times_s=(np.arange(count) + 0.5) * block, values=counts / block, length_s=length_s)


def block_length_s(length_s: float) -> float:
    """Length of a block: a second, or an eighth of the window when that is less."""
    return min(BLOCK_S, max(length_s, 1e-9) / 8)


def calm(stretch: Stretch) -> Stretch:
    """The window without its highest burst, so that a stall in either window counts alike."""
    return stretch.where(_calm_rows([stretch], Samples.of([stretch.values])))


def _calm_rows(stretches: Sequence[Stretch], samples: Samples) -> np.ndarray:
    """Mask over the values of all stretches of those outside their stretch's highest burst; a lone value stays."""
    sizes = samples.sizes[samples.owners]
    return without_bursts(stretches, samples.ranks()[0] - (sizes + 1) / 2) | (sizes == 1)


def without_bursts(stretches: Sequence[Stretch], scores: np.ndarray) -> np.ndarray:
    """Mask of the rows left when from each stretch the part of at most BURST_S with the highest sum is taken out."""
    import numpy as np

    sizes = np.array([len(stretch.times_s) for stretch in stretches])
    starts = np.cumsum(sizes) - sizes
    if not len(scores):
        return np.ones(0, dtype=bool)
    ends = np.concatenate([
        np.searchsorted(one.times_s, one.times_s + min(BURST_S, one.length_s * BURST_SHARE), side="left") + start
        for one, start in zip(stretches, starts, strict=True)
    ])  # fmt: skip
    total = np.concatenate(([0.0], np.cumsum(scores)))
    sums = total[ends] - total[:-1]
    owners = np.repeat(np.arange(np.count_nonzero(sizes)), sizes[sizes > 0])
    highest = np.flatnonzero(sums == np.maximum.reduceat(sums, starts[sizes > 0])[owners])
    begins = highest[np.unique(owners[highest], return_index=True)[1]]
    edges = np.zeros(len(scores) + 1, dtype=np.int64)
    edges[begins] += 1
    edges[ends[begins]] -= 1
    return np.cumsum(edges)[:-1] == 0


def _settle(shift: Shift, p_corrected: float) -> Shift:
    """The draft with its corrected p, and whether it moved."""
    why_not = shift.why_not
    if not why_not and p_corrected > ALPHA:
        why_not = f"p above {ALPHA:g}"
    return dataclasses.replace(shift, p_corrected=p_corrected, why_not=why_not, moved=not why_not)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Calm:
    """Both windows of a level without their highest bursts, beyond the machine's pace: effect and typical values."""

    before: Stretch
    after: Stretch
    delta: float
    left: float
    right: float
    pace: float


def _levels(series: Sequence[Series], pace: float) -> Iterator[Shift]:
    """Levels and rates: rank test on the rows; effect, without each window's highest burst, on rows and on blocks."""
    import numpy as np

    enough = [one for one in series if min(len(one.before.values), len(one.after.values)) >= MIN_ROWS]
    stretches = [stretch for one in enough for stretch in (one.before, one.after)]
    samples = Samples.of([stretch.values for stretch in stretches])
    paces = np.array([factor for one in enough for factor in (1.0, pace if one.unit == "ms" else 1.0)])
    means = np.repeat([one.kind == "rate" for one in enough], 2).astype(bool)
    scaled = samples.divided(paces) if len(enough) else samples
    calm_rows = _calm_rows(stretches, samples) if len(enough) else np.empty(0, dtype=bool)
    calmed = scaled.where(calm_rows)
    figures = [part.tolist() for part in (samples.typical(means), calmed.typical(means), *scaled.deltas())]
    typical, calm_typical, deltas, ties = figures
    calm_deltas, masks = calmed.deltas()[0].tolist(), np.split(calm_rows, np.cumsum(samples.sizes)[:-1])
    place = -1
    for one in series:
        n, m = len(one.before.values), len(one.after.values)
        if min(n, m) < MIN_ROWS:
            yield _shift(one, 0.0, 0.0, 1.0, 0.0, 1.0, f"only {n} and {m} rows, {MIN_ROWS} are needed")
            continue
        place += 1
        first, second = 2 * place, 2 * place + 1
        later = one.after.where(masks[second])
        rest = _Calm(
            before=one.before.where(masks[first]), delta=calm_deltas[place], pace=float(paces[second]),
            after=dataclasses.replace(later, values=later.values / paces[second]),
            left=calm_typical[first], right=calm_typical[second],
        )  # fmt: skip
        p = _rank_p(n, m, deltas[place], ties[place]) if one.kind == "level" else _poisson_p(one.before, one.after)
        left, right = typical[first], typical[second]
        yield _shift(one, left, right, p, deltas[place], _ratio(left, right), _level_lacks(one, rest))


def _level_lacks(series: Series, rest: _Calm) -> str:
    """What the shift lacks in effect, beyond the machine's pace and each window's highest burst; empty: nothing."""
    bar = series.bar
    if not len(rest.before.values) or not len(rest.after.values):
        return f"a burst: without its highest {BURST_S:g} s a window is empty"
    sign = 1.0 if rest.delta >= 0 else -1.0
    ratio = _ratio(rest.left, rest.right) ** sign
    beyond = f" beyond the machine's {rest.pace:.2f}" if abs(rest.pace - 1) > 0.05 else ""
    if bar.direction * sign < 0:
        return HARMLESS
    if rest.delta * sign < bar.delta:
        return f"delta {abs(rest.delta):.2f} < {bar.delta:g}{beyond}"
    needed = max(bar.ratio, bar.fall) if sign < 0 else bar.ratio
    if ratio < needed:
        return f"ratio {ratio:.2f} < {needed:g}{beyond}"
    if abs(rest.right - rest.left) * series.scale < bar.floor:
        return f"difference {say_number(abs(rest.right - rest.left) * series.scale)} < {bar.floor:g}"
    mean = series.kind == "rate"
    blocks = cliffs_delta(block_values(rest.before, mean=mean), block_values(rest.after, mean=mean)) * sign
    return "" if blocks >= BLOCK_DELTA else f"not steady: delta of its 1-s blocks {blocks:.2f} < {BLOCK_DELTA:g}"


def _share(series: Series) -> Shift:
    """A share of bad rows that may rise: Fisher's exact test, difference of shares, guard on bursts."""
    before, after = series.before, series.after
    n, m = len(before.values), len(after.values)
    bad, worse = int(before.values.sum()), int(after.values.sum())
    if n < 1 or m < 3:
        return _shift(series, 0.0, 0.0, 1.0, 0.0, 1.0, f"only {n} and {m} rows, 1 and 3 are needed")
    stand_in = series.reference is not None and bad == 0 and series.reference[1] > n
    reference = series.reference if stand_in and series.reference else (bad, n)
    left, right = bad / n, worse / m
    why_not = "" if stand_in or n >= MIN_ROWS else f"only {n} rows before"
    if series.steady and worse:
        rest = calm(before), calm(after)
        why_not = why_not or _steady_share_lacks(series, right - left, *rest)
        p = chances.fisher(_events(rest[0]), _events(rest[1]))
    else:
        why_not = why_not or _share_lacks(series, left, right, reference)
        p = 1.0 if series.steady else chances.fisher(reference, (worse, m))
    return _shift(series, left, right, p, right - left, _ratio(left, right), why_not)


def _share_lacks(series: Series, left: float, right: float, reference: tuple[int, int]) -> str:
    """What the rise of a share lacks in effect, and without its worst burst; empty: nothing."""
    after, floor = series.after, series.bar.floor
    if right - left < floor:
        return f"difference {right - left:.1%} < {floor:.1%}"
    rest = after.values[without_bursts([after], after.values - left)]
    events = int(rest.sum())
    share = events / len(rest) if len(rest) else 0.0
    if events < 2 or share - left < floor * TRIM_RELIEF or chances.fisher(reference, (events, len(rest))) > ALPHA:
        return f"a burst: without its worst {BURST_S:g} s {events} of {len(rest)}"
    return ""


def _steady_share_lacks(series: Series, difference: float, before: Stretch, after: Stretch) -> str:
    """What a share that must rise all along lacks, in windows without their worst bursts too; empty: nothing."""
    if difference < series.bar.floor:
        return f"difference {difference:.1%} < {series.bar.floor:.1%}"
    (bad, n), (worse, m) = _events(before), _events(after)
    if not n or not m or worse / m - bad / n < series.bar.floor:
        return f"a burst: without its worst {BURST_S:g} s {worse} of {m}"
    blocks = cliffs_delta(block_values(before, mean=True), block_values(after, mean=True))
    return "" if blocks >= BLOCK_DELTA else f"not steady: delta of its 1-s blocks {blocks:.2f} < {BLOCK_DELTA:g}"


def _events(stretch: Stretch) -> tuple[int, int]:
    return int(stretch.values.sum()), len(stretch.values)


def _shift(series: Series, before: float, after: float, p: float, delta: float, ratio: float, why_not: str) -> Shift:
    scale = series.scale if series.kind != "share" else 1.0
    return Shift(
        subject=series.subject, figure=series.figure, kind=series.kind, unit=series.unit,
        rows_before=len(series.before.values), rows_after=len(series.after.values),
        before=float(before) * scale, after=float(after) * scale, ratio=float(ratio), delta=float(delta),
        difference=float(after - before) * scale, p=float(p), p_corrected=1.0, moved=False, why_not=why_not,
    )  # fmt: skip


def _ratio(left: float, right: float) -> float:
    """right / left, kept finite: 1 when both are 0, a thousand (or its inverse) at most."""
    if left == right:
        return 1.0
    if left <= 0 or right <= 0:
        return 1000.0 if right > left else 0.001
    return min(max(right / left, 0.001), 1000.0)


def _poisson_p(before: Stretch, after: Stretch) -> float:
    """Conditional binomial test of two Poisson counts, from their block rates."""
    first = round(float(before.values.sum()) * block_length_s(before.length_s))
    second = round(float(after.values.sum()) * block_length_s(after.length_s))
    return chances.poisson(first, second, len(after.values) / (len(before.values) + len(after.values)))
