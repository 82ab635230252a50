"""Describes a played experiment: why its test fails, and its steps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_anomod.chaos.imported.reading import Document

_LONGEST = 300


def why_failed(document: Document, result: Mapping[str, Any]) -> str:
    """Why the test of an experiment fails; "" when it passes.

    As under `chaos run`, an experiment that deviates, fails or can't be played fails. Three things fail here that pass
    there: a hypothesis that does not hold before the method (which is then never played), a rollback that fails and
    leaves nothing that shows it was not needed, and a rollback after which the hypothesis does not hold any more.
    """
    place, journal = document.path.name, result.get("journal")
    if journal is None:
        what = "the experiment broke off" if result.get("began") else "not played"
        return f"{place}: {what}: {result['error'] or 'it ended without a journal'}"
    if result["error"]:
        return f"{place}: the experiment broke off: {result['error']}"
    states = journal["steady_states"]
    before, after = states.get("before"), states.get("after")
    if before is not None and not before["steady_state_met"]:
        return f"{place}: the hypothesis does not hold before the method, which was not played: " + _unmet(
            document, before
        )
    if journal["deviated"]:
        return f"{place}: deviated: the hypothesis does not hold after the method: " + _unmet(document, after)
    if journal["status"] != "completed":
        return f"{place}: the experiment {journal['status']}: {_last_error(journal)}"
    return _undone(document, result)


def _undone(document: Document, result: Mapping[str, Any]) -> str:
    """What is wrong once the rollbacks are played; "" when nothing is."""
    journal, again, place = result["journal"], result.get("again"), document.path.name
    if again is not None and not again["steady_state_met"]:
        return (
            f"{place}: the rollback broke it: the hypothesis held after the method, and not after the rollbacks: "
            + (again.get("error") or _unmet(document, again))
        )
    failed = [entry for entry in journal.get("rollbacks") or [] if entry.get("status") != "succeeded"]
    if failed and again is None:
        name = _name(failed[0])
        return f"{place}:{_line(document, 'rollbacks', name)}: the rollback {name!r} failed: {_error(failed[0])}"
    return ""


def steps(result: Mapping[str, Any]) -> Iterator[str]:
    """The activities of a journal in the order they were played, a line each."""
    journal = result.get("journal")
    if journal is None:
        return
    for when, entry in entries(journal, result.get("again")):
        met = {True: ", within tolerance", False: ", not within tolerance", None: ""}[entry.get("tolerance_met")]
        said = _error(entry) or _short(entry.get("output"))
        status = entry.get("status", "interrupted")
        yield f"{when}: {_name(entry)}: {status}{met} ({entry.get('duration', 0):.2f} s) {said}"


def entries(journal: Mapping[str, Any], again: Mapping[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of a journal, each with the part that it belongs to."""
    states = journal.get("steady_states") or {}
    for entry in (states.get("before") or {}).get("probes", ()):
        yield "hypothesis before", entry
    for entry in journal.get("run") or ():
        yield "method", entry
    for entry in (states.get("after") or {}).get("probes", ()):
        yield "hypothesis after", entry
    for entry in journal.get("rollbacks") or ():
        yield "rollback", entry
    for entry in (again or {}).get("probes", ()):
        yield "hypothesis after the rollbacks", entry


def _unmet(document: Document, state: Mapping[str, Any] | None) -> str:
    """The probe of a hypothesis that did not hold: what it answered, what its tolerance is, and where."""
    probe = (state or {}).get("probes", [{}])[-1]
    name = _name(probe)
    line = _line(document, "hypothesis", name)
    if probe.get("status") != "succeeded":
        return f"probe {name!r} (line {line}) failed: {_error(probe)}"
    tolerance = (probe.get("activity") or {}).get("tolerance")
    return f"probe {name!r} (line {line}) answered {_short(probe.get('output'))}; its tolerance is {_short(tolerance)}"


def _last_error(journal: Mapping[str, Any]) -> str:
    failed = [entry for _, entry in entries(journal, None) if entry.get("status") != "succeeded"]
    if not failed:
        return "no activity says why; see its output"
    return f"{_name(failed[-1])!r}: {_error(failed[-1]) or 'it was cut off'}"


def _line(document: Document, part: str, name: str) -> int:
    from pytest_anomod.chaos.imported.reading import activities

    for placed in activities(document.data):
        if placed.part == part and placed.name == name:
            return document.line_of(placed.where)
    return 1


def _name(entry: Mapping[str, Any]) -> str:
    activity = entry.get("activity") or {}
    return str(activity.get("name") or activity.get("ref") or "")


def _error(entry: Mapping[str, Any]) -> str:
    lines = entry.get("exception") or []
    return " ".join(str(lines[-1]).split()).removeprefix("chaoslib.exceptions.ActivityFailed: ") if lines else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
