"""Was the fault really in: injected, seen by an independent probe, and held through the anomaly window?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import Activity, Journal
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

HELD_RATIO = 0.8
"""Least share of the probes during the hold that must have seen the fault."""


def check_mechanism(view: CaseView) -> Finding:
    """Judge by what the probe saw, never by what the injector returned."""
    journal = view.journal
    inject, seen, hold = (journal.activity(name) for name in (names.INJECT, names.SEEN, names.HOLD))
    if view.scenario.is_control:
        if inject is not None:
            return _finding(Outcome.BROKEN, "this is a control, yet its journal holds an injection", {})
        return _finding(Outcome.ABSENT, "a control: nothing was injected", {})
    ratio = held_ratio(journal)
    evidence = {"seen": _evidence(seen), "held_ratio": ratio, "hold": _evidence(hold)}
    outcome, message = _judge(view, inject, seen, ratio)
    return _finding(outcome, message, evidence)


def held_ratio(journal: Journal) -> float | None:
    """Share of the probes during the hold that saw the fault; None when it was not held."""
    hold = journal.activity(names.HOLD)
    ratio = hold.output.get("held_ratio") if hold is not None and isinstance(hold.output, Mapping) else None
    return float(ratio) if isinstance(ratio, int | float) else None


def _judge(view: CaseView, inject: Activity | None, seen: Activity | None, ratio: float | None) -> tuple[Outcome, str]:
    what = view.scenario.what
    if inject is None:
        return Outcome.ABSENT, f"{what} was never injected: the case ended before"
    if not inject.succeeded:
        return Outcome.ABSENT, f"injecting {what} failed: {inject.error or 'no reason was recorded'}"
    if seen is None and names.HOLD in view.journal.planned and names.SEEN not in view.journal.planned:
        return Outcome.NOT_ASKED, f"{what} was injected, but the experiment has no probe that could see it"
    if seen is not None and isinstance(seen.output, Mapping) and (why := seen.output.get("not_asked")):
        return Outcome.NOT_ASKED, f"nobody could see {what}: {why}"
    if seen is None or not seen.succeeded or not _active(seen.output):
        why = (seen.error if seen is not None else "") or "the probe did not see it"
        return Outcome.ABSENT, f"{what} was injected but not seen: {why}"
    if ratio is None:
        return Outcome.ABSENT, f"{what} was seen but not held: nothing says how long it stayed in"
    if ratio < HELD_RATIO:
        return (
            Outcome.ABSENT,
            f"{what} was seen but held for only {ratio:.0%} of the window, not {HELD_RATIO:.0%}",
        )
    delay_s = (seen.end_ns - inject.start_ns) / 1e9
    return (
        Outcome.PROVEN,
        f"{what} was seen {delay_s:.2f} s after injection began, held {ratio:.0%} of the window",
    )


def _active(output: Any) -> bool:
    """Whether the probe's answer says the fault is in."""
    return bool(output.get("active", True)) if isinstance(output, Mapping) else output is not False


def _evidence(activity: Activity | None) -> Any:
    return None if activity is None else activity.output


def _finding(outcome: Outcome, message: str, evidence: dict[str, Any]) -> Finding:
    return Finding(check="mechanism", question="mechanism", outcome=outcome, message=message, evidence=evidence)
