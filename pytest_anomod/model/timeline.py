"""Contiguous half-open windows of a case, derived from the journal alone."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import Activity, Journal


class Phase(StrEnum):
    """The kind of a window."""

    WARMUP = "warmup"  # discard
    HISTORY = "history"  # normal: more of it, before the baseline, in cases that were asked for it
    BASELINE = "baseline"  # normal
    ONSET = "onset"  # ambiguous: going in
    ANOMALY = "anomaly"  # anomalous, guaranteed
    RELEASE = "release"  # ambiguous: going out
    RECOVERY = "recovery"  # normal again, with after-effects
    CONTROL = "control"  # in a control, in place of the anomaly window: nothing was done
    RECOVERING = "recovering"  # first part of a recovery: users are not served as in the baseline yet
    RECOVERED = "recovered"  # last part of a recovery: they are


FINE = (Phase.RECOVERING, Phase.RECOVERED)
"""Phases of Timeline.fine alone: the telemetry has Phase.RECOVERY."""

QUIET = (Phase.HISTORY, Phase.BASELINE, Phase.CONTROL)
"""Phases in which nothing was wrong, nor had been."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open stretch of time, [start_ns, end_ns); `extended` says what made it longer than asked for, if it was.

    Why it is as long as it is says nothing of when it was, so it is not compared.
    """

    phase: Phase
    start_ns: int
    end_ns: int
    extended: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """All windows of a case in order, without gaps; with faults in turn, from onset to recovery several times.

    `steady_again_ns` is the moment of the recovery from which users were served as in the baseline; None where it did
    not come, is not known, or nothing was broken. It says nothing of the windows, so it is not compared.
    """

    windows: tuple[Window, ...]
    steady_again_ns: int | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        for window in self.windows:
            if window.end_ns < window.start_ns:
                msg = f"window {window.phase} ends {(window.start_ns - window.end_ns) / 1e9:.3f} s before it starts"
                raise ValueError(msg)
        for left, right in zip(self.windows, self.windows[1:], strict=False):
            if left.end_ns != right.start_ns:
                msg = f"windows {left.phase} and {right.phase} don't touch: {left.end_ns} != {right.start_ns}"
                raise ValueError(msg)

    @property
    def start_ns(self) -> int:
        """Start of the first window."""
        return self.windows[0].start_ns

    @property
    def end_ns(self) -> int:
        """End of the last window."""
        return self.windows[-1].end_ns

    def window(self, phase: Phase) -> Window | None:
        """The first window of a phase, or None when the case never got there."""
        return next((window for window in self.windows if window.phase is phase), None)

    def last(self, phase: Phase) -> Window | None:
        """The last window of a phase: another one than the first where faults were in one after the other."""
        return next((window for window in reversed(self.windows) if window.phase is phase), None)

    @property
    def normal_from_ns(self) -> int | None:
        """Start of the history, or of the baseline where there is none; None when the case never got there."""
        return next((w.start_ns for w in self.windows if w.phase in (Phase.HISTORY, Phase.BASELINE)), None)

    def alone(self, number: int) -> Timeline:
        """The timeline of one of several faults that were in turn, by its number from 1: without those after it.

        The time of those before it is "recovering": neither normal nor its own. The same where all are in at once.
        """
        onsets = [at for at, window in enumerate(self.windows) if window.phase is Phase.ONSET]
        if len(onsets) < max(2, number):
            return self
        first, mine = onsets[0], onsets[number - 1]
        before = (Phase.RECOVERING, self.windows[first].start_ns, self.windows[mine].start_ns)
        others = [Window(phase=before[0], start_ns=before[1], end_ns=before[2])] if mine > first else []
        end = onsets[number] if number < len(onsets) else len(self.windows)
        return dataclasses.replace(self, windows=(*self.windows[:first], *others, *self.windows[mine:end]))

    def phase_at(self, time_unix_nano: int) -> Phase | None:
        """The phase that holds a moment; None outside the case."""
        starts = [window.start_ns for window in self.windows]
        index = bisect.bisect_right(starts, time_unix_nano) - 1
        if index < 0 or time_unix_nano >= self.windows[index].end_ns:
            return None
        return self.windows[index].phase

    @property
    def fine(self) -> Timeline:
        """The same with the recovery split at steady_again_ns; after a control there is nothing to recover from."""
        windows: list[Window] = []
        for window in self.windows:
            again_ns = window.start_ns if self.window(Phase.CONTROL) else self.steady_again_ns
            if window.phase is not Phase.RECOVERY:
                windows.append(window)
                continue
            edge = window.end_ns if again_ns is None else min(max(again_ns, window.start_ns), window.end_ns)
            parts = ((Phase.RECOVERING, window.start_ns, edge), (Phase.RECOVERED, edge, window.end_ns))
            windows += [Window(phase=phase, start_ns=start, end_ns=end) for phase, start, end in parts if start < end]
        return dataclasses.replace(self, windows=tuple(windows))

    def to_json(self) -> list[dict[str, object]]:
        """The windows as JSON, each with what extended it; the recovery's with when users were served again."""
        rows: list[dict[str, object]] = []
        for window in self.windows:
            rows.append(
                {"phase": str(window.phase), "start_unix_nano": window.start_ns, "end_unix_nano": window.end_ns}
            )
            if window.extended:
                rows[-1]["extended"] = list(window.extended)
            if window is self.last(Phase.RECOVERY) and self.steady_again_ns is not None:
                rows[-1]["steady_again_unix_nano"] = self.steady_again_ns
        return rows


def derive(journal: Journal, workload_start_ns: int) -> Timeline:
    """The timeline of a journal: each window from the edge that opens it to the edge that opens the next.

    A case that broke off early has the windows it got to; the last one ends with the journal. One that broke off
    before anything was put in ends where its rollbacks begin: there is nothing to release.
    """
    opened = list(_edges(journal))
    edges = [(Phase.WARMUP, workload_start_ns), *opened]
    ends = [start for _, start in opened]
    ends.append(max(_end_ns(journal), edges[-1][1]))
    longer = [(_from_ns(activity), why) for activity, why in journal.extensions]
    return Timeline(
        tuple(
            Window(
                phase=phase,
                start_ns=start,
                end_ns=end,
                extended=tuple(why for begin, why in longer if start <= begin < end),
            )
            for (phase, start), end in zip(edges, ends, strict=True)
        )
    )


def openings(planned: Sequence[str]) -> dict[str, tuple[Phase, bool]]:
    """By name the activities that open a window, in order, each with its phase and whether it does at its end.

    Several faults that go in (or out) one right after the other have one onset (or release).
    """
    control = not any(names.unnumbered(name)[0] == names.INJECT for name in planned)
    found: dict[str, tuple[Phase, bool]] = {}
    now = Phase.WARMUP
    for name, following in zip(planned, [*planned[1:], ""], strict=True):
        kind, then = names.unnumbered(name)[0], names.unnumbered(following)[0]
        phase, at_end = now, False
        if kind == names.HISTORY:
            phase = Phase.HISTORY
        elif kind == names.BASELINE:
            phase = Phase.BASELINE
        elif control:
            phase = {names.HOLD: Phase.CONTROL, names.RECOVERY: Phase.RECOVERY}.get(kind, now)
        elif kind in (names.INJECT, names.RECOVER):
            phase = Phase.ONSET if kind == names.INJECT else Phase.RELEASE
        elif kind in (names.SEEN, names.GONE) and then not in (names.INJECT, kind):
            phase, at_end = (Phase.ANOMALY if kind == names.SEEN else Phase.RECOVERY), True
        if phase is not now:
            found[name] = phase, at_end
        now = phase
    return found


def _edges(journal: Journal) -> Iterator[tuple[Phase, int]]:
    """The phases after the warm-up that the case got to, each with the moment that opens it."""
    passed = [Phase.WARMUP]
    for name, (phase, at_end) in openings(journal.planned or [activity.name for activity in journal.played]).items():
        activity = _first(journal, name) if phase is Phase.RELEASE else journal.activity(name)
        needed = {Phase.RELEASE: Phase.ONSET, Phase.RECOVERY: Phase.RELEASE}.get(phase, Phase.WARMUP)
        if journal.is_control and phase is Phase.RECOVERY:
            needed = Phase.WARMUP
        if activity is None or needed not in passed or phase is passed[-1] or (at_end and not activity.succeeded):
            continue
        passed.append(phase)
        yield phase, activity.end_ns if at_end else _from_ns(activity)


def _from_ns(activity: Activity) -> int:
    """When an activity's window began; that of a baseline that had to begin anew, later than the activity."""
    said = activity.output if activity.name == names.BASELINE and isinstance(activity.output, Mapping) else {}
    return int(said.get("from_unix_nano") or activity.start_ns)


def _end_ns(journal: Journal) -> int:
    recovery = journal.activity(names.RECOVERY)
    undoing = (names.RECOVER, names.AGAIN)
    undone = next((one for one in journal.played if names.unnumbered(one.name)[0] in undoing), None)
    if recovery is not None:
        return recovery.end_ns
    if undone is not None and journal.activity(names.INJECT) is None:
        return undone.start_ns
    return journal.end_ns


def _first(journal: Journal, name: str) -> Activity | None:
    """The first try of an activity: what is done twice was begun with the first."""
    return next((activity for activity in journal.played if activity.name == name), None)
