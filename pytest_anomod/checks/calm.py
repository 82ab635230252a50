"""Was the machine calm enough for a true measurement, in every window of the case?"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_anomod.host.pressure import LEAST_S
from pytest_anomod.model import journal as names
from pytest_anomod.model.fault import Json
from pytest_anomod.model.verdict import CaseView, Finding, Outcome

WINDOWS = {"baseline": names.BASELINE, "anomaly": names.HOLD, "recovery": names.RECOVERY}
"""Windows that must be calm; of the history is only said how it was."""


def check_calm(view: CaseView) -> Finding:
    """How busy the machine was in each window; a window that was never reached is left out.

    Not asked where all of them are too short to tell.
    """
    journal = view.journal
    played = dict(WINDOWS)
    if view.scenario.in_turn:
        del played["anomaly"]
        numbers = range(1, len(view.scenario.injections) + 1)
        played |= {f"anomaly {number}": names.numbered(names.HOLD, number) for number in numbers}
    said = {what: _said(view, name) for what, name in played.items()}
    evidence: dict[str, Json] = {what: output.get("pressure") for what, output in said.items()}
    if view.journal.activity(names.HISTORY) is not None:
        evidence["history"] = _said(view, names.HISTORY).get("pressure")
    evidence["extended"] = list(journal.extended)
    if journal.too_busy:
        return _finding(Outcome.ABSENT, journal.too_busy, evidence)
    busy = [f"in the {what} {output['pressure']}" for what, output in said.items() if output.get("too_busy")]
    if busy:
        return _finding(Outcome.ABSENT, f"the machine was too busy: {'; '.join(busy)}", evidence)
    # the meter says None of a window of which it saw less than half; older recordings say nothing
    unseen = [what for what, output in said.items() if output.get("pressure", "") is None]
    if unseen:
        message = f"nobody looked at the machine for most of the {' and the '.join(unseen)}"
        return _finding(Outcome.NOT_ASKED, message, evidence)
    if not evidence["baseline"]:
        return _finding(Outcome.PROVEN, "nobody looked at the machine during this case", evidence)
    told = [what for what in said if evidence[what]]
    short = [what for what in told if _length_s(view, played[what]) < LEAST_S]
    unknown = f"too short to tell whether the machine was too busy, which takes {LEAST_S:g} s: {', '.join(short)}"
    if short == told:
        return _finding(Outcome.NOT_ASKED, unknown, evidence)
    what = next(what for what in told if what not in short)
    message = f"in the {what} {evidence[what]}"
    return _finding(Outcome.PROVEN, f"{message}; {unknown}" if short else message, evidence)


def _said(view: CaseView, name: str) -> Mapping[str, Json]:
    activity = view.journal.activity(name)
    return activity.output if activity is not None and isinstance(activity.output, Mapping) else {}


def _length_s(view: CaseView, name: str) -> float:
    """How long a window was; a baseline that began anew counts from then."""
    activity = view.journal.activity(name)
    assert activity is not None
    return (activity.end_ns - int(_said(view, name).get("from_unix_nano") or activity.start_ns)) / 1e9


def _finding(outcome: Outcome, message: str, evidence: Mapping[str, Json]) -> Finding:
    return Finding(check="calm", question="calm", outcome=outcome, message=message, evidence=evidence)
