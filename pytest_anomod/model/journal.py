"""The journal of a case, read from Chaos Toolkit's, and the names of the activities we compile."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from pytest_anomod.model.clock import iso_to_ns
from pytest_anomod.model.fault import Json

WARM_UP = "warm-up"  # probe of the hypothesis: starts the workload the first time it is asked
STEADY = "steady"  # probe of the hypothesis: users are served as they should be
PREPARE = "prepare"
BASELINE = "baseline"
INJECT = "inject"
SEEN = "seen"
HOLD = "hold"
RECOVER = "recover"
GONE = "gone"
RECOVERY = "recovery"
END_WORKLOAD = "end-workload"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity that was played: when, how it ended, what it returned."""

    name: str
    start_ns: int
    end_ns: int
    succeeded: bool
    output: Json = None
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What was done and seen, with times. `played` holds method and rollbacks in order; `before` the gate's probes."""

    start_ns: int
    end_ns: int
    status: str
    deviated: bool
    steady_before: bool | None
    before: tuple[Activity, ...]
    after: tuple[Activity, ...]
    played: tuple[Activity, ...]

    def activity(self, name: str) -> Activity | None:
        """The last activity of that name that was played, or None."""
        for activity in reversed(self.played):
            if activity.name == name:
                return activity
        return None


def read_journal(document: Mapping[str, Json]) -> Journal:
    """The journal of a Chaos Toolkit run; ValueError when the document is no journal."""
    if "run" not in document or "start" not in document:
        msg = "not a Chaos Toolkit journal: it has no 'run' or no 'start'"
        raise ValueError(msg)
    states = document.get("steady_states") or {}
    before, after = states.get("before") or {}, states.get("after") or {}
    return Journal(
        start_ns=iso_to_ns(document["start"]),
        end_ns=iso_to_ns(document.get("end") or document["start"]),
        status=str(document.get("status", "")),
        deviated=bool(document.get("deviated", False)),
        steady_before=before.get("steady_state_met"),
        before=tuple(_activities(before.get("probes") or [])),
        after=tuple(_activities(after.get("probes") or [])),
        played=tuple(_activities([*document["run"], *(document.get("rollbacks") or [])])),
    )


def _activities(entries: list[Mapping[str, Json]]) -> Iterator[Activity]:
    for entry in entries:
        if not entry.get("start"):
            continue
        lines = entry.get("exception") or []
        yield Activity(
            name=entry["activity"]["name"],
            start_ns=iso_to_ns(entry["start"]),
            end_ns=iso_to_ns(entry.get("end") or entry["start"]),
            succeeded=entry.get("status") == "succeeded" and entry.get("tolerance_met", True) is not False,
            output=entry.get("output"),
            error=str(lines[-1]).strip() if lines else "",
        )
