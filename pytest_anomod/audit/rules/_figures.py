"""Figures that several rules need: how far a service stands out, growth of counters, whether a rule is at chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytest_anomod.audit.finding import Finding, Severity, note

ALPHA = 0.01
AHEAD = 1.8
LEAST_CASES = 5
"""A share of fewer cases than these says nothing."""


def stands_out(values: Mapping[str, float], name: str, *, floor: float, times: float = 4.0) -> bool:
    """Whether a figure is AHEAD times the next service's, and `times` spreads and floors above the others' median."""
    others = np.array([value for other, value in values.items() if other != name])
    if name not in values or not len(others) or values[name] <= AHEAD * max(0.0, others.max()):
        return False
    middle = float(np.median(others))
    spread = 1.4826 * float(np.median(np.abs(others - middle)))
    return values[name] - middle > times * (spread + floor)


def is_first(values: Mapping[str, float], name: str) -> float:
    """1 when a service's figure is the highest; ties share."""
    best = max(values.values())
    return (values[name] == best) / sum(value == best for value in values.values()) if name in values else 0.0


def at_chance(rule: str, firsts: Sequence[tuple[str, float, float]], todo: str) -> Finding | None:
    """Whether a ranking names the root cause first more often than chance; (case, 1 if first, chance of it) each.

    One-sided binomial test against the mean chance.
    """
    from scipy import stats

    if not firsts:
        return None
    count, hits = len(firsts), sum(first for _, first, _ in firsts)
    chance = float(np.mean([one for *_, one in firsts]))
    test = stats.binomtest(round(hits), count, chance, alternative="greater")
    low, high = stats.binomtest(round(hits), count).proportion_ci(0.95, "wilson")
    figures = {"first": hits, "cases": count, "chance": chance, "p": float(test.pvalue), "interval": [low, high]}
    what = (
        f"{rule} names the root cause first in {hits:.0f} of {count} cases "
        f"({low:.2f} to {high:.2f}; lots would in {chance:.2f})"
    )
    if count < LEAST_CASES:
        return note(f"{what}: too few cases to tell", **figures)
    if test.pvalue >= ALPHA:
        return note(f"{what}: at chance" if low <= chance else f"{what}: no more than chance may give", **figures)
    return Finding(
        severity=Severity.LEAK, cases=tuple(case for case, first, _ in firsts if first), what=what, todo=todo,
        figures=figures,
    )  # fmt: skip


def growth(frame: Any, start_ns: int, end_ns: int) -> Any:
    """By service and metric the growth a second of counters between the first and the last scrape within a window.

    A frame with `rate`, `first_ns` and `last_ns`; what falls was begun anew.
    """
    inside = frame[(frame["time_unix_nano"] >= start_ns) & (frame["time_unix_nano"] < end_ns)]
    keys = ["service_name", "metric_name", *(["attributes"] if "attributes" in frame else [])]
    inside = inside.sort_values("time_unix_nano", kind="stable")
    rise = inside.groupby(keys, observed=True, sort=False)["value"].diff()
    rise = rise.where(rise >= 0, inside["value"]).where(rise.notna())
    grown = inside.assign(rise=rise).groupby(["service_name", "metric_name"], observed=True)
    table = grown.agg(rise=("rise", "sum"), first_ns=("time_unix_nano", "min"), last_ns=("time_unix_nano", "max"))
    seconds = (table["last_ns"] - table["first_ns"]) / 1e9
    return table.assign(rate=(table["rise"] / seconds.where(seconds > 0)).fillna(0.0))
