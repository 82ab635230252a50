"""Draws the curve of a calibration: the share of affected requests at each value of the dial, and the edge."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.model.colours import BLUE, GREY, INK, SKY_BLUE, VERMILLION
from pytest_anomod.model.fault import Json
from pytest_anomod.model.verdict import Verdict

WIDTH_PX, HEIGHT_PX, DPI = 480, 320, 100
EDGE = "#f9e0d2"
MARKS: Mapping[str, tuple[str, str]] = {
    Verdict.EFFECTIVE: (VERMILLION, "o"),
    Verdict.TOLERATED: (BLUE, "s"),
    Verdict.SILENT: (SKY_BLUE, "D"),
}
OTHER = (GREY, "x")
"""Colour and mark of a verdict that says nothing of what users felt."""
COLUMNS = 2


def draw(edges: Sequence[Mapping[str, Json]]) -> bytes:
    """A PNG with a panel for each edge of a calibration.json; the axis of values is logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(edges))
    rows = -(-len(edges) // columns)
    size = (columns * WIDTH_PX / DPI, rows * HEIGHT_PX / DPI)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for number, edge in enumerate(edges):
        _panel(figure.add_subplot(rows, columns, number + 1), edge)
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def _panel(axis: Any, edge: Mapping[str, Json]) -> None:
    plays = sorted(edge["plays"], key=lambda play: float(play["value"]))
    known = [play for play in plays if play["affected"] is not None]
    axis.plot([play["value"] for play in known], [100 * play["affected"] for play in known], "-", lw=1, color=GREY)
    for verdict in dict.fromkeys(play["verdict"] for play in plays):
        colour, mark = MARKS.get(verdict, OTHER)
        mine = [play for play in plays if play["verdict"] == verdict]
        shares = [100 * (play["affected"] or 0) for play in mine]
        axis.plot([play["value"] for play in mine], shares, mark, ms=6, color=colour, label=verdict)
    if not edge["why"]:
        axis.axvspan(*sorted((edge["tolerated"], edge["effective"])), color=EDGE, linewidth=0)
    axis.set_xscale("log")
    values = sorted({float(play["value"]) for play in plays})
    ticks = [value for at, value in enumerate(values) if at in (0, len(values) - 1) or value in _ends(edge)]
    axis.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axis.minorticks_off()
    axis.set_ylim(-4, 104)
    axis.set_title(f"{edge['fault']} at {edge['target']}", fontsize=9, color=INK)
    axis.set_xlabel(edge["parameter"], fontsize=8, color=INK)
    axis.set_ylabel("requests affected, %", fontsize=8, color=INK)
    axis.tick_params(labelsize=8, colors=INK)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, frameon=False, loc="best")


def _ends(edge: Mapping[str, Json]) -> tuple[float, ...]:
    return () if edge["why"] else (float(edge["tolerated"]), float(edge["effective"]))
