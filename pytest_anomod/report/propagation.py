"""Shows how a fault spread, as a line of text and as a drawing (SVG): from the root cause on the left to the users.

A proven step is a solid line, the path of most bad answers is thick, an unknown step is dashed and has a "?".
Nothing is told by colour alone.
"""

from __future__ import annotations

import dataclasses
import html
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_anomod.checks.shifts import say_number
from pytest_anomod.model.colours import BLUE, INK, PAPER, SOFT, VERMILLION
from pytest_anomod.model.propagation import USER, Hop, Known, Propagation
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    from pytest_anomod.model.verdict import CaseView

NAME = "How it spread"
BOX_PX, GAP_PX, HEIGHT_PX, ROW_PX, MARGIN_PX = 200, 34, 52, 64, 8
CAPTION_PX = 20
MOST_ROWS = 5
"""Services that are drawn below each other; the way of most bad answers is always among them."""
LONGEST_NAME = 27
SHARES = ("errors", "unanswered")
LONGEST_LINE = 31
_SIZE = re.compile(r"width='(\d+)' height='(\d+)'")


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A service in the drawing: the step that reached it first, and where its left upper corner is."""

    hop: Hop
    x: int
    y: int


def sentence(view: CaseView, spread: Propagation) -> str:
    """The path in words: each service with what shows it there, and since when; and what is not known."""
    if not spread.path:
        return "nothing proves that the fault was in"
    steps = {hop.service: hop for hop in reversed(spread.proven)}
    said = [f"{name} ({text})" if (text := _shown(view, steps.get(name))) else name for name in spread.path]
    text = " → ".join(said).replace(USER, "users")
    if spread.path[-1] != USER:
        text += f"; users: {'not reached' if spread.reaches_user is Known.NO else 'unknown'}"
    others = [name for name in spread.affected if name not in spread.path]
    text += f"; also {', '.join(others)}" if others else ""
    return text + (f"; unknown: {', '.join(spread.unknown)}" if spread.unknown else "")


def draw(view: CaseView, spread: Propagation) -> bytes:
    """The drawing as SVG, of a compound case one for each fault; b"" where there is nothing to draw."""
    if not spread.further:
        return _drawn(view, spread)
    parts = [_drawn(one, way) for one, way in zip(view.each, (spread, *spread.further), strict=True)]
    sizes = [tuple(map(int, found.groups())) for part in parts if (found := _SIZE.search(part.decode()))]
    drawn = [part.decode() for part in parts if part]
    places = [0, *itertools.accumulate(height for _, height in sizes)]
    body = "".join(part.replace("<svg ", f"<svg y='{y}' ", 1) for part, y in zip(drawn, places, strict=False))
    width = max((width for width, _ in sizes), default=0)
    paper = f"<rect width='100%' height='100%' fill='{PAPER}'/>"
    whole = f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{places[-1]}'>{paper}{body}</svg>"
    return whole.encode() if drawn else b""


def _drawn(view: CaseView, spread: Propagation) -> bytes:
    if not spread.path:
        return b""
    boxes, hidden = _boxes(spread)
    width = max(box.x for box in boxes.values()) + BOX_PX + MARGIN_PX
    height = max(box.y for box in boxes.values()) + HEIGHT_PX + MARGIN_PX + CAPTION_PX
    lines = [line for hop in spread.hops for line in _line(hop, boxes, spread.path)]
    body = [*lines, *(part for name, box in boxes.items() for part in _box(view, name, box, name in spread.path))]
    caption = f"<text x='{MARGIN_PX}' y='{height - 8}' class='soft'>{html.escape(_caption(spread, hidden))}</text>"
    heading = html.escape(" → ".join(spread.path).replace(USER, "users"))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        f"font-family='system-ui,sans-serif' font-size='11' fill='{INK}'><title>{heading}</title>"
        f"<style>.soft{{fill:{SOFT}}}.b{{font-weight:600}}</style>"
        f"<rect width='100%' height='100%' fill='{PAPER}'/>{''.join(body)}{caption}</svg>"
    ).encode()


def _boxes(spread: Propagation) -> tuple[dict[str, Box], int]:
    """The services to draw, column by column, and how many are left out."""
    first: dict[str, Hop] = {}
    for hop in sorted(spread.hops, key=lambda hop: (hop.propagated is not Known.YES, hop.hop, -hop.weight)):
        if hop.propagated is not Known.NO and not hop.is_load:
            first.setdefault(hop.service, hop)
    columns: dict[int, list[str]] = {}
    last = 1 + max(hop.hop for name, hop in first.items() if name != USER)
    for name, hop in first.items():
        columns.setdefault(last if name == USER else hop.hop, []).append(name)
    boxes, hidden = {}, 0
    for column, number in enumerate(sorted(columns)):
        names = sorted(columns[number], key=lambda name: (name not in spread.path, -first[name].weight))
        hidden += len(names[MOST_ROWS:])
        # the first row is the path's alone: its lines run through it
        for row, name in enumerate(names[:MOST_ROWS], start=0 if names[0] in spread.path else 1):
            place = MARGIN_PX + column * (BOX_PX + GAP_PX), MARGIN_PX + row * ROW_PX
            boxes[name] = Box(first[name], *place)
    return boxes, hidden


def _box(view: CaseView, name: str, box: Box, on_path: bool) -> Iterator[str]:
    hop, unknown = box.hop, box.hop.propagated is Known.UNKNOWN
    colour = VERMILLION if hop.hop == 0 else BLUE if not unknown else SOFT
    dashes = " stroke-dasharray='4 3'" if unknown else ""
    yield (
        f"<rect x='{box.x}' y='{box.y}' width='{BOX_PX}' height='{HEIGHT_PX}' rx='6' fill='{PAPER}' stroke='{colour}' "
        f"stroke-width='{3 if on_path else 1.2}'{dashes}/>"
    )
    shown = _cut("users" if name == USER else name, LONGEST_NAME)
    lines = [
        ("b", shown + (" ?" if unknown else "")),
        ("", _cut(_effect(hop), LONGEST_LINE)),
        ("soft", _since(view, hop)),
    ]
    for number, (kind, text) in enumerate(lines):
        yield f"<text x='{box.x + 8}' y='{box.y + 16 + 14 * number}' class='{kind}'>{html.escape(text)}</text>"


def _line(hop: Hop, boxes: Mapping[str, Box], path: Sequence[str]) -> Iterator[str]:
    """The line of a step, with a head at the effect's end."""
    cause, effect = boxes.get(hop.cause or ""), boxes.get(hop.service)
    if hop.propagated is Known.NO or hop.is_load or cause is None or effect is None:
        return
    thick = (str(hop.cause), hop.service) in [*itertools.pairwise(path)]
    unknown = hop.propagated is Known.UNKNOWN
    style = f"stroke='{SOFT if unknown else BLUE}' stroke-width='{3 if thick else 1.2}' fill='none'"
    style += " stroke-dasharray='4 3'" if unknown else ""
    if cause.x == effect.x:  # of one column: from side to side
        x, start, end = cause.x + BOX_PX, cause.y + HEIGHT_PX // 2, effect.y + HEIGHT_PX // 2
        yield f"<path d='M{x} {start} C{x + GAP_PX} {start} {x + GAP_PX} {end} {x + 7} {end}' {style}/>"
        yield _head(x + 7, end, -1, unknown)
        return
    forth = cause.x < effect.x
    start_x, end_x = (cause.x + BOX_PX, effect.x - 7) if forth else (cause.x, effect.x + BOX_PX + 7)
    start, end = cause.y + HEIGHT_PX // 2, effect.y + HEIGHT_PX // 2
    middle = end_x - (GAP_PX // 2 if forth else -GAP_PX // 2)
    yield f"<path d='M{start_x} {start} C{middle} {start} {middle} {end} {end_x} {end}' {style}/>"
    yield _head(end_x, end, 1 if forth else -1, unknown)


def _head(x: int, y: int, way: int, unknown: bool) -> str:
    return f"<path d='M{x + 7 * way} {y} l{-8 * way} -4 v8 z' fill='{SOFT if unknown else BLUE}'/>"


def _shown(view: CaseView, hop: Hop | None) -> str:
    """What a step shows, and since when."""
    return "" if hop is None else ", ".join(filter(None, (_effect(hop), _since(view, hop))))


def _effect(hop: Hop) -> str:
    """The figure of a step, before and after."""
    if not hop.figure or hop.before is None or hop.after is None:
        return "fault" if hop.hop == 0 else hop.effect
    if hop.figure.endswith(SHARES) or "answers " in hop.figure:
        figure = hop.figure.replace("answers of a new shape", "other answers")
        return f"{figure} {hop.before:.0%} → {hop.after:.0%}"
    unit = " ms" if hop.figure.endswith("latency") else ""
    figure = hop.figure.replace("calls to it latency", "calls to it")
    return f"{figure} {say_number(hop.before)} → {say_number(hop.after)}{unit}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _since(view: CaseView, hop: Hop) -> str:
    """When it began, after the injection did."""
    began = view.timeline.window(Phase.ONSET)
    if hop.hop == 0:
        calls = f"calls to {hop.callee}" if hop.caller == hop.service else f"calls from {hop.caller}"
        return f"on {calls}" if hop.caller else "root cause"
    if hop.onset_unix_nano is None or began is None:
        return ""
    return f"after {(hop.onset_unix_nano - began.start_ns) / 1e9:.1f} s"


def _caption(spread: Propagation, hidden: int) -> str:
    load = {hop.service for hop in spread.hops if hop.is_load}
    no = {hop.service for hop in spread.hops if hop.propagated is Known.NO} - {*spread.affected, *spread.unknown, USER}
    counts = {"only asked more or less often": len(load), "callers that were not reached": len(no), "not drawn": hidden}
    return "; ".join(f"{what}: {count}" for what, count in counts.items() if count)
