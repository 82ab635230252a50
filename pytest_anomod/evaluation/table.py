"""The results of an evaluation as text for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pytest_anomod.evaluation import results as figures
from pytest_anomod.evaluation.damage import KINDS, SEVERITIES
from pytest_anomod.evaluation.run import Results
from pytest_anomod.evaluation.scores import LEVELS, PATH, RANKING

GROUPS = ("level", "severity", "system", "verdict")
MISSING_CHANCES = (0.1, 0.3, 0.5)
TOO_EASY = 0.4
TOO_EASY_SLIGHT = 0.25
"""A trivial rule that solves a larger share of the cases (or of those of severity 1) says that they are too easy."""


def render(results: Results, trivial: Sequence[str]) -> str:
    """All tables; `trivial` names the rules that say how easy the cases are."""
    parts = [*_rankings(results, trivial), *_detections(results), *notes(results)]
    return "\n\n".join(parts)


def _rankings(results: Results, trivial: Sequence[str]) -> Iterator[str]:
    rows, seed = figures.rankings(results.rows), results.options.seed
    if not rows:
        return
    methods = figures.by(rows, "method")
    order = sorted(methods, key=lambda name: -float(np.mean([row["AC@1"] for row in methods[name]])))
    cases = len({row["case_id"] for row in rows})
    lines = [
        [
            name,
            *(str(figures.figure(methods[name], score, seed)) for score in RANKING),
            str(len(methods[name])),
            f"{1000 * np.mean([row['cpu_s'] for row in methods[name]]):.0f}",
        ]
        for name in order
    ]
    title = f"Root cause, service level: {cases} cases with a proven fault, chance AC@1 {figures.chance(rows):.2f}"
    yield _table(title, ["method", *RANKING, "cases", "CPU ms"], lines)
    yield from _finer(methods, order, seed)
    for group in GROUPS:
        if group == "severity" and not any(row[group] for row in rows):
            continue  # no fault of these says how severe it was meant to be
        yield _grouped(methods, order, group, seed)
    yield from easy(methods, trivial)
    yield from _subsets(results, order)
    yield from _robustness(results, order)


def _finer(methods: Mapping[str, Sequence[Any]], order: Sequence[str], seed: int) -> Iterator[str]:
    for title, scores, lines in finer(methods, order, seed):
        yield _table(title, ["method", *scores, "cases"], [[name, *map(str, found)] for name, found in lines])


def finer(
    methods: Mapping[str, Sequence[Any]], order: Sequence[str], seed: int
) -> Iterator[tuple[str, Sequence[str], list[tuple[str, list[Any]]]]]:
    """Of each level below the service, and of paths: title, names of scores, and by method figures and cases.

    Only methods that name something of it, and only cases whose label knows it.
    """
    kinds = [
        (f"Root cause, {word} level: cases whose label has one", level, [f"{level} {score}" for score in RANKING])
        for level, word in LEVELS.items()
    ]
    for title, level, scores in [*kinds, ("Path of the fault: cases with a proven step", "path", PATH)]:
        lines = []
        for name in order:
            if any(row[f"gave_{level}"] for row in methods[name]):
                found = [figures.figure(methods[name], score, seed) for score in scores]
                lines.append((name, [*found, found[-1].cases]))
        if lines:
            yield title, [score.removeprefix(f"{level} ") for score in scores], lines


def grouped(
    methods: Mapping[str, Sequence[Any]], order: Sequence[str], group: str, seed: int
) -> Iterator[tuple[str, str, list[figures.Figure]]]:
    """By method and value of a group (its level, say) the figures of RANKING."""
    for name in order:
        for value, rows in figures.by(methods[name], group).items():
            yield name, value or "none", [figures.figure(rows, score, seed) for score in RANKING]


def _grouped(methods: Mapping[str, Sequence[Any]], order: Sequence[str], group: str, seed: int) -> str:
    lines = [
        [name, value, *map(str, found), str(found[0].cases)]
        for name, value, found in grouped(methods, order, group, seed)
    ]
    return _table(f"Root cause, service level, by {group}", ["method", group, *RANKING, "cases"], lines)


def easy(methods: Mapping[str, Sequence[Any]], trivial: Sequence[str]) -> Iterator[str]:
    """The share of cases that each rule puts first for sure, and that any of them does: of all, and of severity 1."""
    rules = {name: methods[name] for name in trivial if name in methods}
    slightest = {name: [row for row in rows if row["severity"] == "1"] for name, rows in rules.items()}
    clauses = [_solved(rules, "cases", TOO_EASY)] if rules else []
    if any(slightest.values()):
        clauses.append(_solved(slightest, "cases of severity 1", TOO_EASY_SLIGHT))
    if clauses:
        yield f"Is it too easy? Trivial rules solve, {'; '.join(clauses)}"


def _solved(rules: Mapping[str, Sequence[Any]], what: str, bound: float) -> str:
    solved = {name: {row["case_id"] for row in rows if row["AC@1"] >= 1.0} for name, rows in rules.items()}
    count = len({row["case_id"] for rows in rules.values() for row in rows})
    shares = {name: len(cases) / count for name, cases in solved.items()}
    said = ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda item: -item[1]))
    any_of = len(set().union(*solved.values())) / count
    verdict = f"above {bound:.0%}: too easy" if max(shares.values()) > bound else f"none above {bound:.0%}"
    return f"of {count} {what}: {said}; any of them {any_of:.0%} ({verdict})"


def _subsets(results: Results, order: Sequence[str]) -> Iterator[str]:
    if not results.options.subsets:
        return
    rows = [row for row in results.rows if row["task"] == "rank"]
    for name in order:
        values = figures.subsets(rows, name, "AC@1")
        if not has_all_subsets(values):
            continue
        ordered = sorted(values, key=lambda subset: (-values[subset], len(subset)))
        lines = [["+".join(sorted(subset)), f"{values[subset]:.2f}"] for subset in ordered]
        yield _table(f"AC@1 of {name} by set of modalities", ["modalities", "AC@1"], lines)
        yield from _gains(name, values, figures.chance([row for row in rows if row["method"] == name]))


def has_all_subsets(values: Mapping[frozenset[str], float]) -> bool:
    """Whether there is a value for each set of several modalities, so that they can be weighed against each other."""
    names = frozenset().union(*values)
    return len(names) > 1 and len(values) == 2 ** len(names) - 1


def _gains(name: str, values: Mapping[frozenset[str], float], chance: float) -> Iterator[str]:
    """What each modality adds to a score by its subsets, and the score with some missing."""
    shares = figures.shapley(values, chance)
    said = ", ".join(f"{modality} {share:+.3f}" for modality, share in sorted(shares.items(), key=lambda i: -i[1]))
    gain = values[frozenset(shares)] - chance
    yield f"Shapley share of each modality in the gain of {name} over chance ({gain:+.3f}): {said}"
    missing = ", ".join(f"p={p:g} {figures.entire_missing(values, p):.2f}" for p in MISSING_CHANCES)
    yield f"EMM of {name} (modalities missing): mean of subsets {figures.entire_missing(values):.2f}; {missing}"


def _robustness(results: Results, order: Sequence[str]) -> Iterator[str]:
    rows = [row for row in results.rows if row["task"] == "rank"]
    yield from _damaged(rows, order, "AC@1", lambda some: float(np.mean([row["AC@1"] for row in some])))


def _damaged(
    all_rows: Sequence[Any], order: Sequence[str], score: str, value: Callable[[Sequence[Any]], float]
) -> Iterator[str]:
    """A table of a score by damage, of each method that was tried with any."""
    damaged = [row for row in all_rows if row["damage"]]
    if not damaged:
        return
    whole = figures.by(figures.whole(all_rows), "method")
    lines = []
    for name in order:
        for kind in KINDS:
            for modality, rows in figures.by(
                [row for row in damaged if (row["method"], row["damage"]) == (name, kind)], "damaged_modality"
            ).items():
                parts = figures.by(rows, "damage_severity")
                means = [f"{value(parts[severity]):.2f}" for severity in SEVERITIES]
                lines.append([name, kind, modality, f"{value(whole[name]):.2f}", *means])
    heads = ["method", "damage", "modality", "0", *(f"{severity:g}" for severity in SEVERITIES)]
    yield _table(f"{score} by damage and severity (RMM: rows missing at random, NM: noise)", heads, lines)


def _detections(results: Results) -> Iterator[str]:
    rows = figures.detections(results.rows)
    if not rows:
        return
    seed = results.options.seed
    found = {name: figures.detection_figures(group, seed) for name, group in figures.by(rows, "method").items()}
    lines = [
        [
            name,
            str(one.ap),
            str(one.auc),
            str(one.f1),
            f"{_wide(one.delay_s)} ({one.found:.0%})",
            _wide(one.false_alarms_per_hour),
        ]
        for name, one in sorted(found.items(), key=lambda item: -item[1].ap.value)
    ]
    first = next(iter(found.values()))
    title = (
        f"Detection, bins of {results.options.bin_s:g} s after a history of {results.options.history_s:g} s: "
        f"{first.cases} cases, {first.anomalous:.0%} of the bins anomalous, thresholds fixed on "
        f"{first.calibration_cases} cases and tried on the others (controls among these: "
        f"{first.control_hours * 3600:.0f} s)"
    )
    yield _table(title, ["method", "AP", "ROC AUC", "F1", "delay s (found)", "false alarms/h"], lines)
    if results.options.subsets:
        yield from _detection_subsets(results)
    scored = [row for row in results.rows if row["task"] == "score"]
    yield from _damaged(scored, [line[0] for line in lines], "AP", figures.precision)


def _wide(figure: figures.Figure) -> str:
    """A figure that is no share, with its interval."""
    if not figure.cases:
        return "-"
    return f"{figure.value:.1f} [{figure.low:.1f}, {figure.high:.1f}]"


def _detection_subsets(results: Results) -> Iterator[str]:
    rows = [row for row in results.rows if row["task"] == "score" and not row["damage"]]
    for name, mine in figures.by(rows, "method").items():
        parts = figures.by(mine, "modalities")
        if len(parts) > 1:
            found = {key: figures.detection_figures(group, results.options.seed) for key, group in parts.items()}
            lines = [[key, str(one.ap), str(one.auc)] for key, one in found.items()]
            lines.sort(key=lambda line: -found[line[0]].ap.value)
            yield _table(f"Detection by {name}, by set of modalities", ["modalities", "AP", "ROC AUC"], lines)
            values = figures.detector_subsets(mine)
            if has_all_subsets(values):
                yield from _gains(name, values, figures.random_precision(mine))


def notes(results: Results) -> Iterator[str]:
    """What was left out and why, and how to read an interval."""
    lines = [f"{name} was left out: {why}" for name, why in results.left_out.items()]
    lines += [
        f"{name} reads a modality that some cases lack; not in its figures for that reason: {count}"
        for name, count in results.lacking.items()
    ]
    if results.passed_over:
        said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(results.passed_over.items()))
        lines.append(f"not evaluated: {said}")
    lines.append(
        "[low, high]: 95 % interval from drawing faults at a target anew with all cases; equals share their places"
    )
    yield "\n".join(lines)


def _table(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in (heads, *lines)) for column in range(len(heads))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (heads, *lines)]
    return "\n".join([title, *(row.rstrip() for row in rows)])
