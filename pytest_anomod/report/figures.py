"""The one picture of a case: load, errors and latency at the gateway, the target's CPU and memory, log volume."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    from pytest_anomod.model.verdict import CaseView

WIDTH_INCH, HEIGHT_INCH, DPI = 9.6, 8.4, 110
INK, OK, BAD, ACCENT = "#24292f", "#4c78a8", "#d62728", "#f58518"
JOURNEY_COLOURS = ("#4c78a8", "#54a24b", "#b279a2", "#f58518", "#72b7b2", "#9d755d", "#e45756", "#eeca3b")
SHADES = {
    Phase.WARMUP: ("#eceff1", "warm-up"),
    Phase.BASELINE: ("#ffffff", "baseline"),
    Phase.CONTROL: ("#ffffff", "control"),
    Phase.ONSET: ("#ffe3c2", ""),
    Phase.ANOMALY: ("#ffd0cc", "anomaly"),
    Phase.RELEASE: ("#ffe3c2", ""),
    Phase.RECOVERY: ("#e8f5e9", "recovery"),
}


def draw_case(view: CaseView, title: str) -> bytes:
    """A PNG of the case; the time axis is seconds since the first window began."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCH, HEIGHT_INCH), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(5, 1, sharex=True, height_ratios=(2, 3, 2, 2, 2))
    figure.suptitle(title, fontsize=12, color=INK, x=0.01, ha="left")
    _requests(axes[0], view)
    _latency(axes[1], view)
    _cpu(axes[2], view)
    _memory(axes[3], view)
    _logs(axes[4], view)
    for index, axis in enumerate(axes):
        _windows(axis, view, named=index == 0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8, colors=INK)
        axis.set_xlim(0, _seconds(view, view.timeline.end_ns))
    axes[-1].set_xlabel("seconds since the case began", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _seconds(view: CaseView, time_unix_nano: Any) -> Any:
    return (time_unix_nano - view.timeline.start_ns) / 1e9


def _windows(axis: Any, view: CaseView, *, named: bool) -> None:
    top = axis.get_ylim()[1]
    for window in view.timeline.windows:
        colour, name = SHADES[window.phase]
        start, end = _seconds(view, window.start_ns), _seconds(view, window.end_ns)
        axis.axvspan(start, end, color=colour, zorder=-2, linewidth=0)
        if window.phase in (Phase.ONSET, Phase.RELEASE):
            axis.axvline(start, color=BAD, linewidth=1, linestyle="--", zorder=-1)
        if named and name:
            axis.text((start + end) / 2, top * 1.02, name, ha="center", va="bottom", fontsize=8, color=INK)


def _per_second(view: CaseView, times: Any) -> tuple[Any, Any]:
    import numpy as np

    seconds = int(np.ceil(_seconds(view, view.timeline.end_ns)))
    counts, edges = np.histogram(_seconds(view, times), bins=np.arange(0, seconds + 1))
    return edges[:-1], counts


def _requests(axis: Any, view: CaseView) -> None:
    frame = view.frames["api_responses"]
    failed = failures(view)
    left, good = _per_second(view, frame["time_unix_nano"][~failed].to_numpy())
    _, bad = _per_second(view, frame["time_unix_nano"][failed].to_numpy())
    axis.bar(left, good, width=0.9, align="edge", color=OK, label="answered")
    axis.bar(left, bad, width=0.9, align="edge", bottom=good, color=BAD, label="failed")
    _label(axis, "requests/s\nat the gateway")


def _latency(axis: Any, view: CaseView) -> None:
    frame = view.frames["api_responses"]
    for colour, (journey, group) in zip(JOURNEY_COLOURS, frame.groupby("journey"), strict=False):
        axis.plot(
            _seconds(view, group["time_unix_nano"]), group["duration_ns"] / 1e6, ".", ms=3, alpha=0.7, color=colour,
            label=journey,
        )  # fmt: skip
    axis.set_yscale("log")
    _label(axis, "latency [ms]\nper request")


def _cpu(axis: Any, view: CaseView) -> None:
    samples = _metric(view, "container_cpu_usage_seconds_total")
    if len(samples) > 1:
        seconds = _seconds(view, samples["time_unix_nano"].to_numpy())
        used = samples["value"].diff().to_numpy()[1:] / (samples["time_unix_nano"].diff().to_numpy()[1:] / 1e9)
        axis.step(seconds[1:], used.clip(min=0) * 100, where="pre", color=ACCENT, label=view.scenario.target)
    axis.set_ylim(bottom=0)
    _label(axis, "CPU of target\n[% of a core]")


def _memory(axis: Any, view: CaseView) -> None:
    name = "redis_memory_used_bytes"
    samples = _metric(view, name)
    if samples.empty:
        name = "container_memory_working_set_bytes"
        samples = _metric(view, name)
    seconds = _seconds(view, samples["time_unix_nano"].to_numpy())
    axis.plot(seconds, samples["value"] / 2**20, color=ACCENT, marker=".", ms=4, label=name)
    limit = _metric(view, "redis_maxmemory_bytes")
    limit = limit[limit["value"] > 0]
    if not limit.empty:
        axis.plot(
            _seconds(view, limit["time_unix_nano"]), limit["value"] / 2**20, color=BAD, ls="--", label="maxmemory"
        )
    _label(axis, "memory of target\n[MiB]")


def _logs(axis: Any, view: CaseView) -> None:
    frame = view.frames["logs"]
    left, every = _per_second(view, frame["time_unix_nano"].to_numpy())
    of_target = frame["service_name"] == view.scenario.target
    _, target = _per_second(view, frame["time_unix_nano"][of_target].to_numpy())
    _, bad = _per_second(view, frame["time_unix_nano"][frame["severity_number"] >= 13].to_numpy())
    axis.step(left, every, where="post", color=OK, label="all services")
    axis.step(left, target, where="post", color=ACCENT, label="target")
    axis.step(left, bad, where="post", color=BAD, label="warnings and errors")
    axis.set_ylim(bottom=0)
    _label(axis, "log lines/s")


def failures(view: CaseView) -> Any:
    """Which API responses failed; a suite's bad requests on purpose did not."""
    return failed_rows(view.frames["api_responses"], replayed=view.scenario.workload.closed_loop)


def _metric(view: CaseView, name: str) -> Any:
    frame = view.frames["metrics"]
    chosen = frame[(frame["metric_name"] == name) & (frame["service_name"] == view.scenario.target)]
    return chosen.sort_values("time_unix_nano")


def _label(axis: Any, text: str) -> None:
    axis.set_ylabel(text, fontsize=8, color=INK)
    handles, _ = axis.get_legend_handles_labels()
    if handles:
        axis.legend(fontsize=7, loc="upper left", frameon=False, ncols=len(handles))
