"""The one picture of a case: load, failures and latency at the gateway, the target's CPU and memory, log volume.

It is drawn for every case, so it has few marks at fixed places: nothing is measured or laid out. Each axis begins at
zero (latency: whole decades) and has a least span, so that noise fills no panel.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.colours import BLACK, BLUE, GREEN, INK, PAPER, VERMILLION
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.timeline import Phase
from pytest_anomod.report.lettering import Lettering, Ticks

if TYPE_CHECKING:
    import numpy as np

    from pytest_anomod.model.verdict import CaseView

WIDTH_PX, HEIGHT_PX, DPI = 960, 640, 100
LEFT, RIGHT, TOP, BOTTOM = 0.065, 0.99, 0.905, 0.06
GAP = 0.038
NAMES_AT = (0.44, 0.61, 0.70)  # between the edges of a case with windows of usual lengths
COLOURS = 128
SHADES = {
    Phase.WARMUP: ("#eceff1", "warm-up"),
    Phase.HISTORY: ("#f6f8fa", "history"),
    Phase.BASELINE: (PAPER, "baseline"),
    Phase.CONTROL: (PAPER, "control"),
    Phase.ONSET: ("#faf4c0", ""),
    Phase.ANOMALY: ("#f9e0d2", "anomaly"),
    Phase.RELEASE: ("#faf4c0", ""),
    Phase.RECOVERY: ("#e0f1fb", "recovery"),
}
LEAST_REQUESTS, LEAST_CPU_PERCENT, LEAST_LINES = 5.0, 10.0, 5.0
LEAST_MEMORY_MIB, LEAST_STORE_MIB = 32.0, 4.0
LEAST_TOP_MS, LEAST_DECADES = 10.0, 2
ROUND_TOPS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)

Names = Sequence[tuple[str, str]]
"""What is in a panel: (name, colour)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """Seconds since the case began, and the bins in which things are counted: of a second, longer in long cases."""

    start_ns: int
    end_ns: int
    most_bins: int = 120

    @property
    def length_s(self) -> float:
        """How long the case is."""
        return max((self.end_ns - self.start_ns) / 1e9, 1e-3)

    @property
    def bin_s(self) -> int:
        """How long a bin is."""
        return math.ceil(self.length_s / self.most_bins)

    def seconds(self, frame: Any) -> np.ndarray:
        """When the rows of a table were."""
        return (frame["time_unix_nano"].to_numpy() - self.start_ns) / 1e9

    def edges(self) -> np.ndarray:
        """The edges of the bins; the last bin ends with the case, or its rate would be too low."""
        import numpy as np

        return np.append(np.arange(0.0, self.length_s, self.bin_s), self.length_s)

    def rate(self, seconds: np.ndarray) -> np.ndarray:
        """How many a second, bin by bin."""
        import numpy as np

        edges = self.edges()
        return np.histogram(seconds, edges)[0] / np.maximum(np.diff(edges), 0.1)


def draw_case(view: CaseView, title: str) -> bytes:
    """A PNG of the case; the time axis is seconds since the first window began."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    clock = Clock(view.timeline.start_ns, view.timeline.end_ns)
    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    lettering = Lettering(INK)
    lettering.write((0.008, 0.965), title, size_px=15)
    _windows(figure.add_axes((LEFT, BOTTOM, RIGHT - LEFT, TOP - BOTTOM)), view, clock, lettering)
    panels: tuple[tuple[str, float, Callable[[Any, CaseView, Clock], tuple[Names, Ticks]]], ...] = (
        ("requests a second at the gateway", 2, _requests),
        ("latency of each request", 3, _latency),
        ("CPU of the target, % of a core", 2, _cpu),
        ("memory of the target, MiB", 2, _memory),
        ("log lines a second", 2, _logs),
    )
    unit = (TOP - BOTTOM - GAP * len(panels)) / sum(share for _, share, _ in panels)
    top = TOP
    for name, share, draw in panels:
        top -= GAP + share * unit
        axis = figure.add_axes((LEFT, top, RIGHT - LEFT, share * unit))
        axis.set_axis_off()
        axis.set_xlim(0, clock.length_s)
        names, ticks = draw(axis, view, clock)
        lettering.axis((LEFT, top), (RIGHT, top + share * unit), axis.get_ylim(), ticks)
        lettering.write((LEFT, top + share * unit + 0.008), name, bold=True)
        for place, (text, colour) in zip(NAMES_AT, names, strict=False):
            lettering.write((place, top + share * unit + 0.008), f"■ {text}", colour=colour, halo=True)
    canvas.draw()
    return _png(canvas.buffer_rgba(), lettering)


def _png(pixels: Any, lettering: Lettering) -> bytes:
    """The picture with a palette: a third of the bytes, and of the time to compress them."""
    from PIL import Image

    image = Image.frombuffer("RGBA", (WIDTH_PX, HEIGHT_PX), pixels, "raw", "RGBA", 0, 1).convert("RGB")
    lettering.put(image)
    image = image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _windows(axis: Any, view: CaseView, clock: Clock, lettering: Lettering) -> None:
    """The windows, from top to bottom behind all panels, and the time axis of them all."""
    axis.set_xlim(0, clock.length_s)
    axis.set_ylim(0, 1)
    axis.set_axis_off()
    second = (RIGHT - LEFT) / clock.length_s
    for window in view.timeline.windows:
        colour, name = SHADES[window.phase]
        start, end = ((at - clock.start_ns) / 1e9 for at in (window.start_ns, window.end_ns))
        axis.axvspan(start, end, color=colour, linewidth=0)
        if window.phase in (Phase.ONSET, Phase.RELEASE):
            axis.axvline(start, color=BLACK, linewidth=1, linestyle="--")
        if name:
            lettering.write((LEFT + (start + end) / 2 * second, TOP + 0.007), name, anchor="ms")
    step = next(step for step in (1, 2, 5, 10, 30, 60, 120, 300, 600, 10**9) if clock.length_s / step <= 12)
    for tick in range(0, math.ceil(clock.length_s), step):
        lettering.write((LEFT + tick * second, BOTTOM - 0.008), f"{tick} s", anchor="ma")


def _requests(axis: Any, view: CaseView, clock: Clock) -> tuple[Names, Ticks]:
    frame = view.frames["api_responses"]
    seconds = clock.seconds(frame)
    every, bad = clock.rate(seconds), clock.rate(seconds[failures(view)])
    axis.stairs(every, clock.edges(), fill=True, color=BLUE)
    axis.stairs(bad, clock.edges(), fill=True, color=VERMILLION)
    ticks = _from_zero(axis, every.max(initial=0.0), LEAST_REQUESTS)
    return (("all", BLUE), ("failed", VERMILLION)), ticks


def _latency(axis: Any, view: CaseView, clock: Clock) -> tuple[Names, Ticks]:
    """A dot a request; the values are logarithms, because matplotlib's logarithmic axis is slow to find its ticks."""
    import numpy as np

    frame = view.frames["api_responses"]
    seconds, failed = clock.seconds(frame), failures(view)
    decades = np.log10(np.maximum(frame["duration_ns"].to_numpy(), 1e3) / 1e6)
    axis.plot(seconds[~failed], decades[~failed], ".", ms=3, mew=0, color=BLUE)
    axis.plot(seconds[failed], decades[failed], "x", ms=4, color=VERMILLION)
    axis.stairs(medians(clock, seconds, decades), clock.edges(), baseline=None, color=BLACK)
    high = math.ceil(max(decades.max(initial=0.0), math.log10(LEAST_TOP_MS)) + 1e-9)
    low = min(math.floor(decades.min(initial=0.0)), high - LEAST_DECADES)
    axis.set_ylim(low, high)
    ticks = [(float(decade), say_ms(10.0**decade)) for decade in range(low, high + 1)]
    return (("answered", BLUE), ("failed", VERMILLION), ("median", BLACK)), ticks


def medians(clock: Clock, seconds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The median of each bin, NaN where there is nothing."""
    import numpy as np

    order = np.argsort(seconds, kind="stable")
    parts = np.split(values[order], np.searchsorted(seconds[order], clock.edges()[1:-1]))
    return np.array([np.median(part) if len(part) else np.nan for part in parts])


def say_ms(value: float) -> str:
    """Milliseconds in three digits; from a second on as seconds."""
    return f"{value / 1000:.3g} s" if value >= 1000 else f"{value:.3g} ms"


def _cpu(axis: Any, view: CaseView, clock: Clock) -> tuple[Names, Ticks]:
    import numpy as np

    colours, most = dict(zip(view.scenario.targets, itertools.cycle((GREEN, VERMILLION, BLUE)), strict=False)), 0.0
    for target, colour in colours.items():
        seconds, values = _metric(view, clock, "container_cpu_usage_seconds_total", target)
        used = np.maximum(np.diff(values) / np.diff(seconds), 0) * 100  # a new instance begins at zero again
        axis.step(seconds[1:], used, where="pre", color=colour)
        most = max(most, used.max(initial=0.0))
    return tuple(colours.items()), _from_zero(axis, most, LEAST_CPU_PERCENT)


def _memory(axis: Any, view: CaseView, clock: Clock) -> tuple[Names, Ticks]:
    name, least = "redis_memory_used_bytes", LEAST_STORE_MIB
    seconds, values = _metric(view, clock, name)
    if not len(values):
        name, least = "container_memory_working_set_bytes", LEAST_MEMORY_MIB
        seconds, values = _metric(view, clock, name)
    axis.plot(seconds, values / 2**20, color=GREEN)
    at, limits = _metric(view, clock, "redis_maxmemory_bytes")
    limited = limits > 0
    axis.plot(at[limited], limits[limited] / 2**20, color=VERMILLION, ls="--")
    ticks = _from_zero(axis, max(values.max(initial=0.0), limits.max(initial=0.0)) / 2**20, least)
    return ((name, GREEN), *([("limit", VERMILLION)] if limited.any() else [])), ticks


def _logs(axis: Any, view: CaseView, clock: Clock) -> tuple[Names, Ticks]:
    frame = view.frames.get("logs")
    if frame is None:
        return (("there are none", INK),), ()
    seconds = clock.seconds(frame)
    every = clock.rate(seconds)
    own = frame["service_name"].isin(view.scenario.targets).to_numpy(dtype=bool)
    bad = (frame["severity_number"] >= 13).to_numpy(dtype=bool, na_value=False)
    for rate, colour in ((every, BLUE), (clock.rate(seconds[own]), GREEN), (clock.rate(seconds[bad]), VERMILLION)):
        axis.stairs(rate, clock.edges(), baseline=None, color=colour)
    ticks = _from_zero(axis, every.max(initial=0.0), LEAST_LINES)
    return (("all services", BLUE), ("target", GREEN), ("warnings, errors", VERMILLION)), ticks


def failures(view: CaseView) -> Any:
    """Which API responses failed; a suite's bad requests on purpose did not."""
    return failed_rows(view.frames["api_responses"], replayed=view.scenario.workload.closed_loop)


def _metric(view: CaseView, clock: Clock, name: str, target: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Seconds and values of a metric of a target (the first), the sum at each scrape; nothing without metrics."""
    import numpy as np

    frame = view.frames.get("metrics")
    if frame is None:
        return np.empty(0), np.empty(0)
    chosen = frame[(frame["metric_name"] == name) & (frame["service_name"] == (target or view.scenario.target))]
    sums = chosen.groupby("time_unix_nano", as_index=False)["value"].sum()
    return clock.seconds(sums), sums["value"].to_numpy(dtype=float)


def _from_zero(axis: Any, high: float, least: float) -> Ticks:
    """Have an axis from zero to a round number above `high` that is at least `least`; its three ticks."""
    top = max(high * 1.05, least)
    scale = 10.0 ** math.floor(math.log10(top))
    top = next(each for each in ROUND_TOPS if each * scale >= top) * scale
    axis.set_ylim(0, top)
    return [(tick, f"{tick:g}") for tick in (0.0, top / 2, top)]
