"""The journal of a case, read from Chaos Toolkit's, and the names of the activities we compile."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping

from pytest_anomod.model.clock import iso_to_ns
from pytest_anomod.model.errors import BusyMachineError, NotPlayedError
from pytest_anomod.model.fault import Json

WARM_UP = "warm-up"  # probe of the hypothesis: starts the workload the first time it is asked
STEADY = "steady"  # probe of the hypothesis: users are served as they should be
PREPARE = "prepare"
HISTORY = "history"
BASELINE = "baseline"
INJECT = "inject"
SEEN = "seen"
HOLD = "hold"
RECOVER = "recover"
GONE = "gone"
BETWEEN = "between"  # the recovery after a fault that another follows
AGAIN = "again"  # rollback of a fault that the method has taken out already, should it not have come to that
RECOVERY = "recovery"
END_WORKLOAD = "end-workload"

LEAST_MORE_S = 0.25
"""By less no window counts as longer than asked for."""

OF_A_FAULT = (PREPARE, INJECT, SEEN, HOLD, RECOVER, GONE, BETWEEN, AGAIN)
"""Activities that each fault of a compound experiment has; those of the second are called inject-2 and so on."""
_NUMBERED = re.compile(rf"({'|'.join(OF_A_FAULT)})-(\d+)")


def numbered(name: str, number: int) -> str:
    """The name of an activity of the fault of that number, from 1."""
    return name if number == 1 else f"{name}-{number}"


def unnumbered(name: str) -> tuple[str, int]:
    """An activity's name without its fault's number, and that number."""
    found = _NUMBERED.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity that was played: when, how it ended, what it returned."""

    name: str
    start_ns: int
    end_ns: int
    succeeded: bool
    output: Json = None
    error: str = ""

    @property
    def too_busy(self) -> str:
        """Why the machine was too busy for it, in a sentence with figures; "" when that is not why it failed."""
        busy = not self.succeeded and self.error.startswith(_TOO_BUSY)
        return self.error.removeprefix(_TOO_BUSY) if busy else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What was done and seen, with times. `played` holds method and rollbacks in order; `before` the gate's probes.

    `planned` names what the experiment has in its method and rollbacks; `refused` those that would not act because
    something before them had failed: they did nothing and are not in `played`.
    """

    start_ns: int
    end_ns: int
    status: str
    deviated: bool
    steady_before: bool | None
    before: tuple[Activity, ...]
    after: tuple[Activity, ...]
    played: tuple[Activity, ...]
    planned: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def is_control(self) -> bool:
        """True when the experiment injects nothing, as against one that broke off before it could."""
        known = self.planned or tuple(activity.name for activity in self.played)
        return INJECT not in known and RECOVER not in known

    @property
    def faults(self) -> int:
        """How many faults the experiment puts in: 1, unless it is compound."""
        known = (*self.planned, *(activity.name for activity in self.played))
        return max((unnumbered(name)[1] for name in known), default=1)

    def alone(self, number: int) -> Journal:
        """The journal as if the fault of that number, from 1, were the only one."""

        def mine(name: str) -> bool:
            return unnumbered(name)[0] not in OF_A_FAULT or unnumbered(name)[1] == number or name == shared

        # faults that are in at once are held together, by one activity that says what it saw of each
        shared = HOLD if numbered(HOLD, self.faults) not in self.planned else ""
        played = [dataclasses.replace(one, name=unnumbered(one.name)[0]) for one in self.played if mine(one.name)]
        return dataclasses.replace(
            self,
            played=tuple(_of_fault(one, number) if shared else one for one in played),
            planned=tuple(unnumbered(name)[0] for name in self.planned if mine(name)),
            refused=tuple(unnumbered(name)[0] for name in self.refused if mine(name)),
        )

    def activity(self, name: str) -> Activity | None:
        """The last activity of that name that was played, or None."""
        for activity in reversed(self.played):
            if activity.name == name:
                return activity
        return None

    @property
    def too_busy(self) -> str:
        """Why the machine was too busy for this case, in a sentence with figures; "" when it was not."""
        return next((one.too_busy for one in (*self.before, *self.played) if one.too_busy), "")

    @property
    def extended(self) -> tuple[str, ...]:
        """Which windows took longer than asked for, and why: a sentence each."""
        return tuple(why for _, why in self.extensions)

    @property
    def extensions(self) -> tuple[tuple[Activity, str], ...]:
        """The activities that took longer than asked for, in order, each with a sentence that says why."""
        return tuple((one, why) for one in (*self.before, *self.played) if (why := _why_longer(one)))


def _why_longer(activity: Activity) -> str:
    """Why an activity took longer than asked for, in a sentence; "" for one that did not."""
    said, (kind, number) = _said(activity), unnumbered(activity.name)
    fault = f"fault {number}" if number > 1 else "the fault"
    busy = f"while the machine was too busy: {said.get('why')}"
    if kind == BASELINE and said.get("begun_anew"):
        times = "once" if said["begun_anew"] == 1 else f"{said['begun_anew']} times"
        return f"the baseline began anew {times}: {said.get('why')}"
    if kind == STEADY and said.get("waited_s", 0) > LEAST_MORE_S:
        until = "until users were served" if said.get("status") == "steady" else "and users were not served"
        return f"the warm-up took {said['waited_s']:.1f} s more, {until}" + (
            f" ({said['busy_s']:.0f} s {busy})" if said.get("busy_s") else ""
        )
    if kind in (SEEN, GONE) and said.get("busy_s", 0) >= 1:
        return f"{said['busy_s']:.0f} s until {fault} was {kind} did not count, {busy}"
    more_s = said["waited_s"] - said["asked_s"] if kind in (BETWEEN, RECOVERY) and "asked_s" in said else 0.0
    if more_s > LEAST_MORE_S:
        until = "until users were served again" if said.get("settled") else "and users were not served as before"
        after = f" after {fault}" if kind == BETWEEN else ""
        return f"the recovery{after} took {more_s:.1f} s more, {until}: {said.get('tail')}"
    return ""


def _of_fault(activity: Activity, number: int) -> Activity:
    """Of an activity that holds several faults what it says of one."""
    others = _said(activity).get("others") if activity.name == HOLD else None
    if not others or number == 1:
        return activity
    return dataclasses.replace(activity, output={**_said(activity), **others[number - 2]})


def _said(activity: Activity | None) -> Mapping[str, Json]:
    return activity.output if activity is not None and isinstance(activity.output, Mapping) else {}


def read_journal(document: Mapping[str, Json]) -> Journal:
    """The journal of a Chaos Toolkit run; ValueError when the document is no journal."""
    if "run" not in document or "start" not in document:
        msg = "not a Chaos Toolkit journal: it has no 'run' or no 'start'"
        raise ValueError(msg)
    states = document.get("steady_states") or {}
    before, after = states.get("before") or {}, states.get("after") or {}
    experiment = document.get("experiment") or {}
    entries = list(_activities([*document["run"], *(document.get("rollbacks") or [])]))
    return Journal(
        start_ns=iso_to_ns(document["start"]),
        end_ns=iso_to_ns(document.get("end") or _last_time(document)),
        status=str(document.get("status") or ""),
        deviated=bool(document.get("deviated", False)),
        steady_before=before.get("steady_state_met"),
        before=tuple(_activities(before.get("probes") or [])),
        after=tuple(_activities(after.get("probes") or [])),
        played=tuple(activity for activity in entries if not _refused(activity)),
        planned=tuple(
            activity["name"] for part in ("method", "rollbacks") for activity in experiment.get(part) or [] if activity
        ),
        refused=tuple(activity.name for activity in entries if _refused(activity)),
    )


_WRAPPER = "chaoslib.exceptions.ActivityFailed: "
_TOO_BUSY = f"{BusyMachineError.__module__}.{BusyMachineError.__qualname__}: "
_REFUSAL = f"{NotPlayedError.__module__}.{NotPlayedError.__qualname__}: "


def _activities(entries: Iterable[Mapping[str, Json]]) -> Iterator[Activity]:
    for entry in entries:
        if entry.get("start"):
            yield activity_of(entry)


def activity_of(entry: Mapping[str, Json]) -> Activity:
    """An entry of Chaos Toolkit's journal that has a start."""
    return Activity(
        name=str(entry["activity"].get("name") or ""),
        start_ns=iso_to_ns(entry["start"]),
        end_ns=iso_to_ns(entry.get("end") or entry["start"]),
        succeeded=entry.get("status") == "succeeded" and entry.get("tolerance_met", True) is not False,
        output=entry.get("output"),
        error=_error(entry),
    )


def _error(entry: Mapping[str, Json]) -> str:
    """What went wrong, in one text; an entry without a status was cut off by an interrupt."""
    if "status" not in entry:
        return "interrupted"
    lines = entry.get("exception") or []
    return str(lines[-1]).strip().removeprefix(_WRAPPER) if lines else ""


def _refused(activity: Activity) -> bool:
    return activity.error.startswith(_REFUSAL)


def _last_time(document: Mapping[str, Json]) -> str:
    """The last time that a journal without an end tells of: its run was cut off."""
    entries = [*document["run"], *(document.get("rollbacks") or [])]
    times = [entry.get("end") or entry.get("start") for entry in entries]
    known: list[str] = [document["start"], *(time for time in times if time)]
    return max(known, key=iso_to_ns)
