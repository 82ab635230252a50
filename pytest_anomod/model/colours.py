"""The colours of all pictures: those of Okabe and Ito, which colour-blind readers tell apart, and greys."""

from __future__ import annotations

OKABE_ITO = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
"""https://jfly.uni-koeln.de/color/"""
BLACK, ORANGE, SKY_BLUE, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = OKABE_ITO

INK, SOFT, GREY, PAPER = "#24292f", "#57606a", "#8b949e", "#ffffff"
"""Words, words and lines of less weight, marks without a meaning of their own, and what is behind them."""
