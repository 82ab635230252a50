"""The results of an evaluation as one HTML page: heat map method x scenario, subsets, robustness curves, detection."""

from __future__ import annotations

import contextlib
import html
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pytest_anomod.evaluation import results as figures
from pytest_anomod.evaluation import table
from pytest_anomod.evaluation.damage import SEVERITIES
from pytest_anomod.evaluation.run import Results
from pytest_anomod.evaluation.scores import RANKING
from pytest_anomod.model.colours import BLUE, GREEN, ORANGE, PURPLE, SKY_BLUE, VERMILLION
from pytest_anomod.model.errors import DatasetError

MOST_CURVES = 6
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE)
"""Each curve has a mark of its own as well."""
MARKS = ("circle", "square", "up", "down", "cross", "ring")
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 256, 170, 30, 16, 24, 8
"""Of a panel with curves, in pixels."""
DAMAGES = {"RMM": "rows missing at random", "NM": "noise"}


def write(results: Results, trivial: Sequence[str], path: Path) -> None:
    """Write the page, whole or not at all; DatasetError when the file can't be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(render(results, trivial), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        msg = f"--html {path}: {error.strerror or error}; name a file in a directory that is there"
        raise DatasetError(msg) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def render(results: Results, trivial: Sequence[str]) -> str:
    """The page as HTML."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    ranked = figures.rankings(results.rows)
    methods = figures.by(ranked, "method")
    order = sorted(methods, key=lambda name: -_mean(methods[name]))
    scored = [row for row in results.rows if row["task"] == "score"]
    detections = _detections(results)
    detectors = [row["name"] for row in detections]
    return template.render(
        headline=_headline(results, ranked),
        scores=RANKING,
        rankings=[_ranking(name, methods[name], results) for name in order],
        chance=figures.chance(ranked),
        easy=[*table.easy(methods, trivial)],
        finer=[*table.finer(methods, order, results.options.seed)],
        order=order,
        heat=[*_heat(methods, order)],
        groups=[
            _group(methods, order, name, results.options.seed)
            for name in table.GROUPS
            if len({row[name] for row in ranked}) > 1
        ],
        subsets=_subsets(results, order),
        shares=_shares(results, order),
        curves=[*_curves([row for row in results.rows if row["task"] == "rank"], order, _mean)],
        curve_names=[*zip(order[:MOST_CURVES], COLOURS, strict=False)],
        detections=detections,
        detection_subsets=_detection_subsets(scored),
        detection_shares=[*_detection_shares(scored)],
        detection_curves=[*_curves(scored, detectors, figures.precision)],
        detection_names=[*zip(detectors[:MOST_CURVES], COLOURS, strict=False)],
        bin_s=results.options.bin_s,
        notes=[line for text in table.notes(results) for line in text.splitlines()],
        mark=_mark,
    )


def _headline(results: Results, ranked: Sequence[Mapping[str, Any]]) -> str:
    cases = len({row["case_id"] for row in results.rows})
    methods = len({row["method"] for row in results.rows})
    return f"{methods} methods on {cases} cases, {len({row['case_id'] for row in ranked})} of them with a fault"


def _mean(rows: Sequence[Mapping[str, Any]], score: str = "AC@1") -> float:
    return float(np.mean([row[score] for row in rows]))


def _ranking(name: str, rows: Sequence[Mapping[str, Any]], results: Results) -> dict[str, Any]:
    seed = results.options.seed
    return {
        "name": name,
        "figures": [figures.figure(rows, score, seed) for score in RANKING],
        "cases": len(rows),
        "cpu_ms": 1000 * float(np.mean([row["cpu_s"] for row in rows])),
    }


def _heat(methods: Mapping[str, Sequence[Any]], order: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Of each system its scenarios, each with the mean AC@1 of every method (None: not tried)."""
    cells = {name: figures.by(methods[name], "system", "scenario") for name in order}
    keys = sorted({key for found in cells.values() for key in found})
    for system in dict.fromkeys(system for system, _ in keys):
        rows = []
        for key in (key for key in keys if key[0] == system):
            values = [_mean(found[key]) if key in (found := cells[name]) else None for name in order]
            known = [value for value in values if value is not None]
            rows.append({"name": key[1], "values": values, "mean": float(np.mean(known))})
        yield {"system": system, "rows": rows}


def _group(methods: Mapping[str, Sequence[Any]], order: Sequence[str], name: str, seed: int) -> dict[str, Any]:
    values = sorted({row[name] for rows in methods.values() for row in rows})
    parts = {method: figures.by(methods[method], name) for method in order}
    sizes = {value: max(len(found.get(value, ())) for found in parts.values()) for value in values}
    rows = [[_mean(parts[method][value]) if value in parts[method] else None for method in order] for value in values]
    heads = [f"{value or 'none'} ({sizes[value]})" for value in values]
    lines = [*table.grouped(methods, order, name, seed)]
    return {"name": name, "rows": [*zip(heads, rows, strict=True)], "lines": lines}


def _subsets(results: Results, order: Sequence[str]) -> dict[str, Any]:
    """By set of modalities, the largest first, the mean AC@1 of every method that was tried with several; or {}."""
    rows = [row for row in results.rows if row["task"] == "rank"]
    found = {name: figures.subsets(rows, name, "AC@1") for name in order} if results.options.subsets else {}
    return _by_set({name: values for name, values in found.items() if len(values) > 1})


def _by_set(values: Mapping[str, Mapping[frozenset[str], float]]) -> dict[str, Any]:
    """Values by method and set of modalities as a table; {} without any."""
    keys = sorted({key for found in values.values() for key in found}, key=lambda key: (-len(key), sorted(key)))
    lines = [("+".join(sorted(key)), [found.get(key) for found in values.values()]) for key in keys]
    return {"methods": [*values], "rows": lines} if values else {}


def _shares(results: Results, order: Sequence[str]) -> list[dict[str, Any]]:
    """Of each method that was tried with all subsets the Shapley share of every modality, and what EMM is."""
    rows = [row for row in results.rows if row["task"] == "rank"]
    found: list[dict[str, Any]] = []
    for name in order if results.options.subsets else ():
        chance = figures.chance([row for row in rows if row["method"] == name])
        found += _share(name, figures.subsets(rows, name, "AC@1"), chance)
    return found


def _share(name: str, values: Mapping[frozenset[str], float], chance: float) -> Iterator[dict[str, Any]]:
    if table.has_all_subsets(values):
        shares = figures.shapley(values, chance)
        emm = figures.entire_missing(values)
        yield {"name": name, "shares": shares, "whole": values[frozenset(shares)], "emm": emm}


def _curves(
    all_rows: Sequence[Mapping[str, Any]], order: Sequence[str], value: Callable[[Sequence[Mapping[str, Any]]], float]
) -> Iterator[dict[str, str]]:
    """A panel for each kind of damage and modality, with the curves of the best methods that read it."""
    damaged = [row for row in all_rows if row["damage"]]
    whole = figures.by(figures.whole(all_rows), "method")
    for (kind, modality), rows in figures.by(damaged, "damage", "damaged_modality").items():
        lines = []
        for place, name in enumerate(order[:MOST_CURVES]):
            mine = figures.by([row for row in rows if row["method"] == name], "damage_severity")
            if mine:
                points = [(0.0, value(whole[name])), *((severity, value(mine[severity])) for severity in SEVERITIES)]
                lines.append(_line(name, points, place))
        yield {"title": f"{modality}: {DAMAGES[kind]}", "svg": _panel(lines)}


def _line(name: str, points: Sequence[tuple[float, float]], place: int) -> str:
    across, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    at = [(LEFT + x * across / SEVERITIES[-1], TOP + (1 - y) * high) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    colour, said = COLOURS[place], ", ".join(f"{y:.2f} at {x:.0%}" for x, y in points)
    marks = "".join(_mark(place, x, y) for x, y in at)
    title = f"<title>{html.escape(name)}: {said}</title>"
    return f"<g>{title}<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='1.6'/>{marks}</g>"


def _mark(place: int, x: float, y: float) -> str:
    """The mark of a curve at a point, as SVG."""
    colour, kind = COLOURS[place], MARKS[place]
    if kind in ("circle", "ring"):
        fill = colour if kind == "circle" else "none"
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.2' fill='{fill}' stroke='{colour}' stroke-width='1.4'/>"
    shapes = {
        "square": "M-3-3h6v6h-6z",
        "up": "M0-4l4 7h-8z",
        "down": "M0 4l4-7h-8z",
        "cross": "M-3-3l6 6m0-6l-6 6",
    }
    return (
        f"<path transform='translate({x:.1f} {y:.1f})' d='{shapes[kind]}' "
        f"fill='{colour}' stroke='{colour}' stroke-width='1.4'/>"
    )


def _panel(lines: Sequence[str]) -> str:
    high, across = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT
    parts = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' role='img'>"]
    for share in (0.0, 0.5, 1.0):
        y = TOP + (1 - share) * high
        parts.append(f"<line x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y}' y2='{y}' class='grid'/>")
        parts.append(f"<text x='{LEFT - 4}' y='{y + 4}' text-anchor='end'>{share:g}</text>")
    for severity in (0.0, *SEVERITIES):
        x = LEFT + severity * across / SEVERITIES[-1]
        parts.append(f"<text x='{x:.0f}' y='{HEIGHT - 8}' text-anchor='middle'>{severity:.0%}</text>")
    return "".join([*parts, *lines, "</svg>"])


def _detections(results: Results) -> list[dict[str, Any]]:
    rows = figures.detections(results.rows)
    found = {
        name: figures.detection_figures(group, results.options.seed)
        for name, group in figures.by(rows, "method").items()
    }
    return [{"name": name, "found": one} for name, one in sorted(found.items(), key=lambda item: -item[1].ap.value)]


def _detection_subsets(scored: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By set of modalities the AP of every detector over all cases; {} where none was tried."""
    values = {name: figures.detector_subsets(mine) for name, mine in figures.by(scored, "method").items()}
    return _by_set({name: found for name, found in values.items() if len(found) > 1})


def _detection_shares(scored: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, mine in figures.by(scored, "method").items():
        yield from _share(name, figures.detector_subsets(mine), figures.random_precision(mine))
