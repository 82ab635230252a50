"""How a fault spread, as text and as a drawing: every step that is known, the path straight, the rest told apart."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest
from results import make_result
from small_system import QUIET, Effect

from pytest_anomod.model.propagation import USER, Hop, Known, Propagation
from pytest_anomod.report import page, propagation
from pytest_anomod.report.overview import SPREAD_FILE, keep_case

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def fan():
    """Posts are slow, and with them three callers and the gateway."""
    return make_result(effect=Effect(slower=12.0), target="posts", noise=QUIET)


def texts(svg: bytes) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def boxes(svg: bytes) -> list[tuple[int, int]]:
    return [
        (int(each.attrib["x"]), int(each.attrib["y"]))
        for each in ElementTree.fromstring(svg).iter(f"{SVG}rect") if "x" in each.attrib
    ]  # fmt: skip


def test_the_path_is_a_straight_line_from_root_cause_to_users(fan):
    svg = propagation.draw(fan.view, fan.spread)
    said = texts(svg)
    assert {"posts", "home", "user", "compose", "gateway", "users"} <= set(said)
    assert ElementTree.fromstring(svg).find(f"{SVG}title").text == "posts → home → gateway → users"
    top = min(y for _, y in boxes(svg))
    assert sum(y == top for _, y in boxes(svg)) == 4, "the path has the first row for itself"
    assert len(set(boxes(svg))) == len(boxes(svg)) == 6


def test_the_sentence_says_what_shows_it_and_since_when(fan):
    said = propagation.sentence(fan.view, fan.spread)
    assert said.startswith("posts (")
    assert " → home (latency " in said
    assert " ms, after " in said
    assert "; also compose, user" in said
    assert USER not in said


def test_what_is_unknown_is_told_without_colour():
    steps = (
        Hop(hop=0, cause=None, service="a", propagated=Known.YES, why="", effect="state"),
        Hop(hop=1, cause="a", service="b", propagated=Known.UNKNOWN, why="no span"),
        Hop(hop=1, cause="a", service="idle", propagated=Known.YES, why="", effect="load"),
        Hop(hop=1, cause="a", service="c", propagated=Known.NO, why="nearest: x"),
        Hop(hop=2, cause="b", service=USER, propagated=Known.UNKNOWN, why=""),
    )
    view, spread = make_result(noise=QUIET).view, Propagation(root="a", hops=steps)
    svg = propagation.draw(view, spread)
    assert "b ?" in texts(svg)
    assert "users ?" in texts(svg)
    assert svg.count(b"stroke-dasharray") == 4, "two boxes and two lines"
    assert "only asked more or less often: 1; callers that were not reached: 1" in texts(svg)
    assert propagation.sentence(view, spread) == "a (fault, root cause); users: unknown; unknown: b"


def test_many_services_are_counted_and_not_drawn():
    steps = [Hop(hop=0, cause=None, service="db", propagated=Known.YES, why="")]
    steps += [
        Hop(hop=1, cause="db", service=f"s<{number}>", propagated=Known.YES, why="", weight=number)
        for number in range(20)
    ]
    svg = propagation.draw(make_result(noise=QUIET).view, Propagation(root="db", hops=tuple(steps)))
    assert len(boxes(svg)) == 1 + propagation.MOST_ROWS
    assert "s<19>" in texts(svg), "the worst is drawn, and names are escaped"
    assert any("not drawn: 15" in text for text in texts(svg))


def test_a_page_has_the_drawing_and_the_words(fan, tmp_path):
    drawn = page.draw(fan)
    assert dict(drawn.rows)[propagation.NAME].startswith("posts (")
    second = drawn.attachments[1]
    assert (second.name, second.kind, second.body) == (propagation.NAME, "SVG", drawn.spread)
    assert drawn.description.count("<img ") == 2
    kept = keep_case(tmp_path, fan, drawn)
    assert (tmp_path / "cases" / "case-1" / SPREAD_FILE).read_bytes() == drawn.spread
    assert (propagation.NAME, f"cases/case-1/{SPREAD_FILE}") in kept["files"]


@pytest.mark.parametrize("spread", [None, Propagation()])
def test_where_nothing_spread_there_is_no_drawing(spread):
    result = dataclasses.replace(make_result(noise=QUIET), spread=spread)
    drawn = page.draw(result)
    assert drawn.spread == b""
    assert [each.kind for each in drawn.attachments].count("SVG") == 0
    assert drawn.description.count("<img ") == 1
