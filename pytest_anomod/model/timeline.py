"""Contiguous half-open windows of a case, derived from the journal alone."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterator, Mapping
from enum import StrEnum

from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import Activity, Journal


class Phase(StrEnum):
    """What a stretch of a case means."""

    WARMUP = "warmup"  # discard
    BASELINE = "baseline"  # normal
    ONSET = "onset"  # ambiguous: going in
    ANOMALY = "anomaly"  # anomalous, guaranteed
    RELEASE = "release"  # ambiguous: going out
    RECOVERY = "recovery"  # normal again, with after-effects
    CONTROL = "control"  # a control's stand-in for the anomaly window: nothing was done
    RECOVERING = "recovering"  # first part of a recovery: users are not served as in the baseline yet
    RECOVERED = "recovered"  # last part of a recovery: they are


FINE = (Phase.RECOVERING, Phase.RECOVERED)
"""Phases of Timeline.fine alone: the telemetry has Phase.RECOVERY."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open stretch of time, [start_ns, end_ns)."""

    phase: Phase
    start_ns: int
    end_ns: int

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """All windows of a case in order, without gaps.

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
        """The window of a phase, or None when the case never got there."""
        return next((window for window in self.windows if window.phase is phase), None)

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
        """The windows as JSON; that of the recovery says since when users were served again, if they were."""
        rows: list[dict[str, object]] = []
        for window in self.windows:
            rows.append(
                {"phase": str(window.phase), "start_unix_nano": window.start_ns, "end_unix_nano": window.end_ns}
            )
            if window.phase is Phase.RECOVERY and self.steady_again_ns is not None:
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
    return Timeline(
        tuple(Window(phase=phase, start_ns=start, end_ns=end) for (phase, start), end in zip(edges, ends, strict=True))
    )


def _edges(journal: Journal) -> Iterator[tuple[Phase, int]]:
    """The phases after the warm-up that the case got to, each with the moment that opens it."""
    if (baseline := journal.activity(names.BASELINE)) is not None:
        yield Phase.BASELINE, _from_ns(baseline)
    if journal.is_control:
        if (hold := journal.activity(names.HOLD)) is not None:
            yield Phase.CONTROL, hold.start_ns
        if (recovery := journal.activity(names.RECOVERY)) is not None:
            yield Phase.RECOVERY, recovery.start_ns
        return
    if (inject := journal.activity(names.INJECT)) is None:
        return
    yield Phase.ONSET, inject.start_ns
    seen, gone = journal.activity(names.SEEN), journal.activity(names.GONE)
    if seen is not None and seen.succeeded:
        yield Phase.ANOMALY, seen.end_ns
    if (recover := _first(journal, names.RECOVER)) is not None:
        yield Phase.RELEASE, recover.start_ns
        if gone is not None and gone.succeeded:
            yield Phase.RECOVERY, gone.end_ns


def _from_ns(baseline: Activity) -> int:
    """When the baseline that counts began: later than the activity where it had to begin anew."""
    said = baseline.output if isinstance(baseline.output, Mapping) else {}
    return int(said.get("from_unix_nano") or baseline.start_ns)


def _end_ns(journal: Journal) -> int:
    recovery, undone = journal.activity(names.RECOVERY), _first(journal, names.RECOVER)
    if recovery is not None:
        return recovery.end_ns
    if undone is not None and journal.activity(names.INJECT) is None:
        return undone.start_ns
    return journal.end_ns


def _first(journal: Journal, name: str) -> Activity | None:
    """The first try of an activity: what is done twice was begun with the first."""
    return next((activity for activity in journal.played if activity.name == name), None)
