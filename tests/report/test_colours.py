"""What is drawn has Okabe and Ito's colours, which colour-blind readers tell apart; words are grey, windows pale."""

from __future__ import annotations

import re

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from results import make_result
from small_system import QUIET, Effect

from pytest_anomod.evaluation import page
from pytest_anomod.model.colours import OKABE_ITO
from pytest_anomod.model.verdict import Verdict
from pytest_anomod.report import curve, figures, propagation
from pytest_anomod.report.lettering import Lettering

PALETTE = {colour.lower() for colour in OKABE_ITO}


def judged(colours):
    """Colours that are not of the list, neither grey nor pale; and those that are of the list."""
    found = {colour.lower() for colour in colours}
    channels = {colour: bytes.fromhex(colour[1:]) for colour in found - PALETTE}
    return {
        colour for colour, each in channels.items() if max(each) - min(each) > 0x20 and min(each) < 0xC0
    }, found & PALETTE  # fmt: skip


@pytest.fixture(scope="module")
def result():
    return make_result(effect=Effect(slower=12.0, gone=True), target="posts", noise=QUIET)


@pytest.fixture
def drawn(monkeypatch):
    """The colours of all that Matplotlib and the lettering draw from now on."""
    drawings, words = [], []
    begin, write = Figure.__init__, Lettering.write

    def noted(figure, *args, **kwargs):
        drawings.append(figure)
        begin(figure, *args, **kwargs)

    def written(self, *args, **kwargs):
        words.append(kwargs.get("colour", "#000000"))
        write(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "__init__", noted)
    monkeypatch.setattr(Lettering, "write", written)

    def colours():
        artists = [artist for figure in drawings for artist in figure.findobj()]
        lines = [to_hex(artist.get_color()) for artist in artists if isinstance(artist, Line2D | Text)]
        patches = [artist for artist in artists if isinstance(artist, Patch)]
        fills = [to_hex(one.get_facecolor() if one.get_fill() else one.get_edgecolor()) for one in patches]
        return [*lines, *fills, *words]

    return colours


def test_a_case(result, drawn):
    figures.draw_case(result.view, "title")
    strange, ours = judged(drawn())
    assert not strange
    assert len(ours) >= 4


def test_a_curve(drawn):
    plays = [{"value": 10.0**place, "affected": 0.1, "verdict": verdict} for place, verdict in enumerate(Verdict)]
    edge = {"fault": "f", "target": "t", "parameter": "p", "plays": plays, "why": "", "tolerated": 1, "effective": 10}
    curve.draw([edge])
    strange, ours = judged(drawn())
    assert not strange
    assert len(ours) >= 3


def test_drawings_as_text(result):
    spread = re.findall("#[0-9a-fA-F]{6}", propagation.draw(result.view, result.spread).decode())
    for colours in (spread, page.COLOURS):
        strange, ours = judged(colours)
        assert not strange
        assert len(ours) >= 2
