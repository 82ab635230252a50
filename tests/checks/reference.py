"""The checks' figures computed by loops and scipy, with which the arrays of the package must agree."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from typing import Any

import numpy as np
from scipy import stats

from pytest_anomod.checks.shifts import HARMLESS, Series, Stretch, say_number
from pytest_anomod.model.timeline import Window
from pytest_anomod.model.verdict import CaseView


def all_rows(view: CaseView, modality: str) -> list[dict[str, Any]]:
    """A modality's rows in time order, converted once."""
    name = f"reference rows of {modality}"
    if name not in view.kept:
        ordered = view.frames[modality].sort_values("time_unix_nano", kind="stable")
        view.kept[name] = ordered.to_dict("records")
    rows: list[dict[str, Any]] = view.kept[name]
    return rows


def rows_of(view: CaseView, modality: str, window: Window) -> list[dict[str, Any]]:
    return [row for row in all_rows(view, modality) if window.start_ns <= row["time_unix_nano"] < window.end_ns]


def spans_of(view: CaseView, window: Window, kind: str, *, ended: bool) -> list[dict[str, Any]]:
    """Spans of a kind that begin in a window; with `ended` those that also end in it."""
    rows = [row for row in rows_of(view, "traces", window) if row["span_kind"] == kind]
    return [row for row in rows if not ended or row["time_unix_nano"] + row["duration_ns"] < window.end_ns]


def peer(row: dict[str, Any]) -> str:
    return row["attributes"].partition('"peer.service": "')[2].partition('"')[0]


def multiples(before: list[dict[str, Any]], rows: list[dict[str, Any]], kind: Any) -> list[float]:
    """Durations as multiples of the median of their kind, of kinds with five rows before."""
    known = defaultdict(list)
    for row in before:
        known[kind(row)].append(row["duration_ns"])
    return [
        row["duration_ns"] / statistics.median(known[kind(row)]) for row in rows if len(known.get(kind(row), ())) >= 5
    ]


def pace(view: CaseView, before: Window, after: Window) -> float:
    """Median change of the own times of all spans but the target's."""
    below: dict[str, float] = defaultdict(float)
    for row in all_rows(view, "traces"):
        below[row["parent_span_id"]] += row["duration_ns"]
    medians = []
    for window, ended in ((before, True), (after, False)):
        kinds = defaultdict(list)
        for kind in ("SERVER", "CLIENT"):
            for row in spans_of(view, window, kind, ended=ended):
                owner = row["service_name"] if kind == "SERVER" else peer(row)
                own = row["duration_ns"] - below.get(row["span_id"], 0)
                asked = kind == "CLIENT" and row["span_id"] in below
                target = owner == view.scenario.target and not view.scenario.is_control
                if own > 0 and not asked and row["status_code"] != "ERROR" and not target:
                    kinds[owner, row["service_name"], row["span_name"]].append(own)
        medians.append({name: statistics.median(values) for name, values in kinds.items() if len(values) >= 5})
    ratios = [medians[1][name] / medians[0][name] for name in medians[0] if name in medians[1]]
    return min(max(statistics.median(ratios), 0.5), 2.0) if len(ratios) >= 3 else 1.0


def without_burst(stretch: Stretch, scores: list[float]) -> list[int]:
    """Numbers of the rows left when the stretch of at most 2 s (40 % of the window) with most score is taken out."""
    width = min(2.0, stretch.length_s * 0.4)
    best: tuple[float, range] = (-np.inf, range(0))
    for begin, time_s in enumerate(stretch.times_s):
        inside = range(begin, sum(other < time_s + width for other in stretch.times_s))
        total = sum(scores[place] for place in inside)
        if total > best[0]:
            best = (total, inside)
    return [place for place in range(len(scores)) if place not in best[1]]


def calm(stretch: Stretch) -> Stretch:
    if len(stretch.values) < 2:
        return stretch
    ranks = stats.rankdata(stretch.values)
    left = without_burst(stretch, list(ranks - ranks.mean()))
    return Stretch(times_s=stretch.times_s[left], values=stretch.values[left], length_s=stretch.length_s)


def blocks(stretch: Stretch, typical: Any) -> list[float]:
    parts = defaultdict(list)
    for time_s, value in zip(stretch.times_s, stretch.values, strict=True):
        parts[time_s // min(1.0, stretch.length_s / 8)].append(value)
    return [typical(part) for part in parts.values()]


def delta(before: Any, after: Any) -> float:
    pairs = [np.sign(second - first) for first in before for second in after]
    return float(np.mean(pairs)) if pairs else 0.0


def rank_p(before: np.ndarray, after: np.ndarray) -> float:
    """Mann-Whitney, by permutation when wholly apart, exact when small and significant."""
    distinct = len({*before, *after}) == len(before) + len(after)
    if abs(delta(before, after)) == 1.0:
        return min(1.0, 2 / math.comb(len(before) + len(after), len(before)))
    if len({*before, *after}) == 1:
        return 1.0
    p = stats.mannwhitneyu(after, before, method="asymptotic").pvalue
    if p < 0.01 and max(len(before), len(after)) <= 20 and distinct:
        p = stats.mannwhitneyu(after, before, method="exact").pvalue
    return float(p)


def ratio(left: float, right: float) -> float:
    if left == right:
        return 1.0
    if left <= 0 or right <= 0:
        return 1000.0 if right > left else 0.001
    return min(max(right / left, 0.001), 1000.0)


def level(series: Series, machine: float) -> tuple[float, float, float, float, str]:
    """Typical values, p, delta and what is lacking for a level or a rate."""
    before, after = series.before, series.after
    typical = statistics.fmean if series.kind == "rate" else statistics.median
    scaled = after.values / machine
    if series.kind == "rate":
        lengths = [min(1.0, stretch.length_s / 8) for stretch in (before, after)]
        first, second = (
            round(stretch.values.sum() * length) for stretch, length in zip((before, after), lengths, strict=True)
        )
        share = len(after.values) / (len(before.values) + len(after.values))
        tails = (stats.binom.cdf(second, first + second, share), stats.binom.sf(second - 1, first + second, share))
        p = min(1.0, 2 * min(tails)) if first + second else 1.0
    else:
        p = rank_p(before.values, scaled)
    lacks = level_lacks(series, machine, typical)
    return typical(before.values), typical(after.values), p, delta(before.values, scaled), lacks


def level_lacks(series: Series, machine: float, typical: Any) -> str:
    bar, before, after = series.bar, calm(series.before), calm(series.after)
    if not len(before.values) or not len(after.values):
        return "a burst: without its highest 2 s a window is empty"
    later = Stretch(times_s=after.times_s, values=after.values / machine, length_s=after.length_s)
    moved = delta(before.values, later.values)
    sign = 1.0 if moved >= 0 else -1.0
    left, right = typical(before.values), typical(later.values)
    beyond = f" beyond the machine's {machine:.2f}" if abs(machine - 1) > 0.05 else ""
    times, needed = ratio(left, right) ** sign, max(bar.ratio, bar.fall) if sign < 0 else bar.ratio
    if bar.direction * sign < 0:
        return HARMLESS
    if moved * sign < bar.delta:
        return f"delta {abs(moved):.2f} < {bar.delta:g}{beyond}"
    if times < needed:
        return f"ratio {times:.2f} < {needed:g}{beyond}"
    if abs(right - left) * series.scale < bar.floor:
        return f"difference {say_number(abs(right - left) * series.scale)} < {bar.floor:g}"
    steady = delta(blocks(before, typical), blocks(later, typical)) * sign
    return "" if steady >= 0.6 else f"not steady: delta of its 1-s blocks {steady:.2f} < 0.6"


def fisher(before: tuple[int, int], after: tuple[int, int]) -> float:
    table = [[after[0], after[1] - after[0]], [before[0], before[1] - before[0]]]
    return float(stats.fisher_exact(table, alternative="greater").pvalue)
