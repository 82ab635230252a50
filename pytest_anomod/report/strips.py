"""A case in three lines of text, for reports without pictures: Allure 2 removes them from descriptions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_anomod.model.timeline import Phase
from pytest_anomod.report.figures import LEAST_DECADES, LEAST_TOP_MS, Clock, failures, medians, say_ms

if TYPE_CHECKING:
    from pytest_anomod.model.verdict import CaseView

BLOCKS = "▁▂▃▄▅▆▇"  # not the full one: it would touch the line above
MOST_BLOCKS = 40
LEAST_FAILED = 0.05


def strips(view: CaseView) -> list[str]:
    """Failed requests, latency and the window of the fault over the time of the case, a block a second or longer."""
    import numpy as np

    clock = Clock(view.timeline.start_ns, view.timeline.end_ns, most_bins=MOST_BLOCKS)
    frame = view.frames["api_responses"]
    seconds, failed = clock.seconds(frame), failures(view)
    shares = clock.rate(seconds[failed]) / np.maximum(clock.rate(seconds), 1e-9)
    latencies = medians(clock, seconds, frame["duration_ns"].to_numpy() / 1e6)
    known = latencies[~np.isnan(latencies)]
    top = math.log10(max(known.max(initial=0.0), LEAST_TOP_MS))
    low = min(math.log10(max(known.min(initial=1e9), 1e-3)), top - LEAST_DECADES) if len(known) else 0.0
    heights = (np.log10(np.maximum(np.nan_to_num(latencies, nan=1e-3), 1e-3)) - low) / (top - low)
    said = [
        f"{_blocks(shares / max(shares.max(initial=0.0), LEAST_FAILED))} failed, up to {shares.max(initial=0.0):.0%}"
    ]
    if len(known):
        said.append(f"{_blocks(heights)} latency p50, {say_ms(known.min())} to {say_ms(known.max())}")
    for window in (window for window in view.timeline.windows if window.phase is Phase.ANOMALY):
        start, end = ((at - clock.start_ns) / 1e9 for at in (window.start_ns, window.end_ns))
        middles = (clock.edges()[:-1] + clock.edges()[1:]) / 2
        said.append(f"{_blocks((middles >= start) & (middles < end))} anomaly, {start:.0f} to {end:.0f} s")
    return said


def _blocks(heights: Iterable[float]) -> str:
    """A block for each height from 0 to 1."""
    return "".join(BLOCKS[round(min(max(float(height), 0.0), 1.0) * (len(BLOCKS) - 1))] for height in heights)
