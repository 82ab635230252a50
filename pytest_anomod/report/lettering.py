"""Draws words, axes and ticks onto the pixels of a case's picture: matplotlib takes a millisecond for each of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

Place = tuple[float, float]
"""Fractions of the picture's width, from the left, and height, from below."""
Ticks = Sequence[tuple[float, str]]
"""Values of an axis, and what is written beside them."""

TICK_PX, PAD_PX, HALO_PX = 5, 5, 2


@dataclasses.dataclass(frozen=True, slots=True)
class _Word:
    at: Place
    text: str
    size_px: int
    colour: str
    anchor: str  # of Pillow: l, m or r, then s for the baseline, m for the middle, a for the top
    bold: bool
    halo: bool


class Lettering:
    """Collects them while the rest is drawn."""

    def __init__(self, ink: str) -> None:
        self._ink = ink
        self._words: list[_Word] = []
        self._lines: list[tuple[Place, Place]] = []
        self._ticks: list[tuple[Place, str]] = []

    def write(
        self,
        at: Place,
        text: str,
        *,
        size_px: int = 11,
        colour: str = "",
        anchor: str = "ls",
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Write a text; with a halo where a line may cross it."""
        self._words.append(_Word(at, text, size_px, colour or self._ink, anchor, bold, halo))

    def axis(self, low: Place, high: Place, span: tuple[float, float], ticks: Ticks) -> None:
        """The left and the lower edge of a panel between two corners, and its ticks on the left."""
        self._lines += [(low, (low[0], high[1])), (low, (high[0], low[1]))]
        scale = (high[1] - low[1]) / (span[1] - span[0])
        self._ticks += [((low[0], low[1] + (value - span[0]) * scale), text) for value, text in ticks]

    def put(self, image: Any) -> None:
        """Put all of it onto a picture of Pillow."""
        from PIL import ImageDraw

        draw = ImageDraw.Draw(image)
        width, height = image.size

        def px(place: Place) -> Place:
            return round(place[0] * width), round((1 - place[1]) * height)

        for begin, end in self._lines:
            draw.line((*px(begin), *px(end)), fill=self._ink)
        for place, text in self._ticks:
            x, y = px(place)
            draw.line((x - TICK_PX, y, x, y), fill=self._ink)
            draw.text((x - TICK_PX - PAD_PX, y), text, fill=self._ink, font=_font(11, bold=False), anchor="rm")
        for word in self._words:
            font = _font(word.size_px, bold=word.bold)
            draw.text(
                px(word.at), word.text, fill=word.colour, font=font, anchor=word.anchor,
                stroke_width=HALO_PX if word.halo else 0, stroke_fill="white",
            )  # fmt: skip


@functools.cache
def _font(size_px: int, *, bold: bool) -> Any:
    """The font that comes with matplotlib."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = f"{matplotlib.get_data_path()}/fonts/ttf/{name}"
    return ImageFont.truetype(path, size_px, layout_engine=ImageFont.Layout.BASIC)
