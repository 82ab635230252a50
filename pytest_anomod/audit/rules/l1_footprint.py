"""L1: the coverage footprint of a patched function: of several lines that used to run, only the first is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import LABELLED, AuditCase, Material
from pytest_anomod.audit.rules._figures import at_chance, is_first
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["service_name", "file", "function"]
MODULE = "<module>"
USUAL_LINES = 3
"""Where so many lines used to run, a defect of the function's own would hardly stop it at the first of them."""
FEW = 3
"""A footprint tells something while no more functions than these have it."""
ADVICE = "let the patched function run its own lines up to the point of the fault"


def find(material: Material) -> Iterator[Finding]:
    """Functions with a single line left, and functions that are there only while a fault is in.

    For functions of two lines it is a note: a defect in the first line looks the same. Over all cases, whether the
    service with the most such functions is the root cause more often than chance.
    """
    elsewhere: set[tuple[str, ...]] = set()
    only: dict[str, set[tuple[str, ...]]] = {}
    firsts: list[tuple[str, float, float]] = []
    asked = in_controls = 0
    for case in material.cases:
        frame = case.table("coverage")
        if frame is None or Phase.BASELINE not in case.windows:
            continue
        faulty = case.within(frame, *LABELLED)
        elsewhere |= _functions(frame[~faulty])
        if case.is_control:
            in_controls += len(footprints(case, frame, Phase.CONTROL))
            continue
        asked += 1
        only[case.case_id] = _functions(frame[faulty])
        found = footprints(case, frame, Phase.ANOMALY)
        yield from _single_lines(case, found)
        firsts += _firsts(case, frame, found)
    for case_id, functions in only.items():
        if unknown := sorted(functions - elsewhere):
            yield Finding(
                severity=Severity.LEAK, cases=(case_id,), service=unknown[0][0],
                what=f"{len(unknown)} functions have lines only while a fault is in, such as {unknown[0][2]} of "
                f"{unknown[0][1]}: code of the tool, not of the system",
                todo="keep the tool's own code out of the coverage, or have it there in every window of every case",
                figures={"functions": len(unknown)},
            )  # fmt: skip
    if said := at_chance("the number of functions with a footprint", firsts, ADVICE):
        yield said
    if asked:
        yield note(f"{asked} cases with a fault have coverage; in controls {in_controls} functions have a footprint")


def footprints(case: AuditCase, frame: pd.DataFrame, phase: str) -> dict[tuple[str, ...], int]:
    """Functions of which more than one line ran in the baseline, with how many, and only the first does in a window."""
    ran = frame[frame["covered"].astype(bool) & (frame["function"] != MODULE)]
    if "truncated" in ran:  # a killed process loses what it counted
        ran = ran[~ran["truncated"].astype(bool)]
    before = ran[case.within(ran, Phase.BASELINE)].groupby(KEYS, observed=True)["line"].agg(["min", "nunique"])
    after = ran[case.within(ran, phase)].groupby(KEYS, observed=True)["line"].agg(["min", "nunique"])
    both = before.add_suffix("_before").join(after.add_suffix("_after"), how="inner")
    single = (both["nunique_before"] > 1) & (both["nunique_after"] == 1) & (both["min_before"] == both["min_after"])
    lines: dict[Any, int] = both["nunique_before"][single].to_dict()
    return {tuple(map(str, key)): int(count) for key, count in lines.items()}


def _firsts(
    case: AuditCase, frame: pd.DataFrame, found: Collection[tuple[str, ...]]
) -> Iterator[tuple[str, float, float]]:
    """Whether the root cause has the most footprints among services with coverage, equals sharing; its chance."""
    services = frame[case.within(frame, Phase.BASELINE)]["service_name"].astype(str).unique()
    counts = {str(name): float(sum(one[0] == name for one in found)) for name in services}
    if case.target in counts and len(counts) > 1:
        yield case.case_id, is_first(counts, case.target), 1 / len(counts)


def _single_lines(case: AuditCase, found: dict[tuple[str, ...], int]) -> Iterator[Finding]:
    mine = {function: lines for function, lines in found.items() if function[0] == case.target}
    if not mine or len(found) > FEW:
        return
    function = max(mine, key=lambda one: mine[one])
    what = (
        f"of {function[2]} only the first line runs while the fault is in, {mine[function]} lines ran before: "
        f"{len(found)} of all functions look so, {len(mine)} at the root cause"
    )
    if mine[function] < USUAL_LINES:
        yield note(f"{case.case_id}, {case.target}: {what}")
        return
    yield Finding(
        severity=Severity.LEAK, cases=(case.case_id,), service=case.target, what=what,
        todo=ADVICE,
        figures={"functions": len(found), "at_target": len(mine), "lines_before": mine[function]},
    )  # fmt: skip


def _functions(frame: pd.DataFrame) -> set[tuple[str, ...]]:
    return set(frame[KEYS].drop_duplicates().astype(str).itertuples(index=False, name=None))


RULE = Rule(name="L1-footprint", looks_for="what a patched function leaves in the coverage", find=find)
