"""L3, L5: commands that a store carried out and that no call of the system explains: a tool's probes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.audit.rules._figures import at_chance, growth, is_first, stands_out
from pytest_anomod.evaluation.methods._spans import CALLS
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    import pandas as pd

ASKED = re.compile(r".*(commands_processed|xact_commit|queries|questions|opcounters|statements|error_repl).*_total")
"""Counters of what was asked of a store, and of what it refused."""
FLOOR = 0.4
"""Commands a second; less is the jitter of windows."""
ADVICE = "probe stores in every window of every case, controls too, at one pace"


def find(material: Material) -> Iterator[Finding]:
    """Stores whose commands rise beyond what calls to them explain, beside all stores of their kind."""
    firsts = []
    for case in material.timed:
        for metric, surplus in surpluses(case, Phase.ANOMALY).items():
            if case.target not in surplus or len(surplus) < 2:
                continue
            if "error" not in metric:  # that the store refuses more is the fault itself
                firsts.append((case.case_id, is_first(surplus, case.target), 1 / len(surplus)))
            if stands_out(surplus, case.target, floor=FLOOR) and "error" not in metric:
                others = max(value for name, value in surplus.items() if name != case.target)
                yield Finding(
                    severity=Severity.LEAK, cases=(case.case_id,), service=case.target,
                    what=f"{metric} rises by {surplus[case.target]:.1f} a second beyond what calls to it explain; "
                    f"at the next store by {others:.1f}",
                    todo=ADVICE, figures={"metric": metric, "target": surplus[case.target], "next": others},
                )  # fmt: skip
    said = at_chance("the surplus of a store's commands over calls to it", firsts, ADVICE)
    yield said or note("no root cause is a store that counts its commands and whose callers send spans")


def surpluses(case: AuditCase, phase: str) -> dict[str, dict[str, float]]:
    """By counter and store: commands a second in a window, less those a call cost in the baseline times calls then."""
    metrics, traces = case.table("metrics"), case.table("traces")
    if metrics is None or traces is None or "peer" not in traces:
        return {}
    metrics = metrics[metrics["metric_name"].astype(str).str.fullmatch(ASKED.pattern)]
    calls = traces[traces["span_kind"].isin(CALLS) & (traces["peer"].fillna("") != "")]
    before, after = (growth(metrics, *case.windows[name]) for name in (Phase.BASELINE, phase))
    found: dict[str, dict[str, float]] = {}
    for key in before.index.intersection(after.index):
        mine = calls[calls["peer"] == key[0]]
        usual, now = _calls(mine, before.loc[key]), _calls(mine, after.loc[key])
        explained = before.loc[key, "rate"] * (now / usual if usual else 1.0)
        found.setdefault(str(key[1]), {})[str(key[0])] = float(after.loc[key, "rate"] - explained)
    return found


def _calls(calls: pd.DataFrame, row: pd.Series) -> float:
    """Calls a second between the first and the last scrape."""
    times = calls["time_unix_nano"]
    inside = (times >= row["first_ns"]) & (times < row["last_ns"])
    return float(inside.sum() / max((row["last_ns"] - row["first_ns"]) / 1e9, 1e-3))


RULE = Rule(name="L3-store-surplus", looks_for="commands of a store that no call explains (L3, L5)", find=find)
