"""Clocks that jump or disagree: rows that go back in time, gaps between scrapes, spans older than their caller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_anomod.audit.finding import Finding, Rule, Severity
from pytest_anomod.audit.material import AuditCase, Material

if TYPE_CHECKING:
    import pandas as pd

BACK_NS = 1_000_000
SKEW_NS = 1_000_000
SKEWED_SHARE = 0.05
LEAST_CALLS = 20
GAP = 10.0
"""A gap between two scrapes that is so many times the usual one, and longer than GAP_S, may be a step of the clock."""
GAP_S = 5.0


def find(material: Material) -> Iterator[Finding]:
    """Each of them, by case."""
    for case in material.cases:
        for modality in case.modalities:
            frame = case.table(modality)
            if frame is not None and len(frame) > 1:
                yield from _backwards(case, modality, frame)
        metrics, traces = case.table("metrics"), case.table("traces")
        if metrics is not None:
            yield from _gaps(case, metrics)
        if traces is not None and {"span_id", "parent_span_id"} <= {*traces.columns}:
            yield from _skew(case, traces)


def _backwards(case: AuditCase, modality: str, frame: pd.DataFrame) -> Iterator[Finding]:
    """Steps back between neighbouring rows of a service's one source, in the order of the file."""
    keys = [name for name in ("service_name", "service_instance_id", "metric_name", "attributes") if name in frame]
    if modality in ("traces", "coverage"):  # spans are written when they end, coverage window by window
        return
    steps = frame.groupby(keys, observed=True, dropna=False, sort=False)["time_unix_nano"].diff()
    back = steps[steps < -BACK_NS]
    if len(back):
        service = str(frame.loc[back.index[0], "service_name"])
        yield Finding(
            severity=Severity.DEFECT, cases=(case.case_id,), service=service,
            what=f"{modality} goes back in time {len(back)} times, by {-back.min() / 1e9:.3f} s at most",
            todo="look whether the clock was set while the case was recorded, and sort what was only mixed up",
            figures={"modality": modality, "steps": len(back), "most_s": float(-back.min() / 1e9)},
        )  # fmt: skip


def _gaps(case: AuditCase, metrics: pd.DataFrame) -> Iterator[Finding]:
    """Rounds of scrapes of the whole system that are far apart: one service alone may just be down."""
    ticks = np.unique(metrics["time_unix_nano"].to_numpy() // 10**8) / 10.0
    steps = np.diff(ticks)
    if len(steps) < 3:
        return
    usual, longest = float(np.median(steps)), float(steps.max())
    if longest > max(GAP * usual, GAP_S):
        yield Finding(
            severity=Severity.DEFECT, cases=(case.case_id,),
            what=f"no service was scraped for {longest:.1f} s, where {usual:.1f} s is usual: the clock was set, or the "
            "collector stood still", todo="record the case again", figures={"gap_s": longest, "usual_s": usual},
        )  # fmt: skip


def _skew(case: AuditCase, traces: pd.DataFrame) -> Iterator[Finding]:
    """Pairs of services of which the callee's spans begin before the caller's."""
    above = traces.drop_duplicates("span_id").set_index("span_id")[["time_unix_nano", "service_name"]]
    pairs = traces.join(above.add_suffix("_above"), on="parent_span_id", how="inner")
    pairs = pairs[pairs["service_name"] != pairs["service_name_above"]]
    early = pairs["time_unix_nano_above"] - pairs["time_unix_nano"]
    skewed = (early > SKEW_NS).groupby([pairs["service_name_above"], pairs["service_name"]], observed=True)
    shares: Any = skewed.mean()  # by pairs, which the stubs take for any key
    for (caller, callee), share in shares.items():
        mine = early[(pairs["service_name_above"] == caller) & (pairs["service_name"] == callee)]
        if len(mine) >= LEAST_CALLS and share > SKEWED_SHARE:
            yield Finding(
                severity=Severity.DEFECT, cases=(case.case_id,), service=str(callee),
                what=f"{share:.0%} of {len(mine)} spans below {caller} begin before their caller, by "
                f"{mine.max() / 1e6:.0f} ms at most: the clocks disagree",
                todo="record all services by one clock, or correct the offset of each",
                figures={"share": float(share), "spans": len(mine), "most_ms": float(mine.max() / 1e6)},
            )  # fmt: skip


RULE = Rule(name="clock", looks_for="clocks that jump or disagree", find=find)
