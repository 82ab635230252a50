"""Contiguous half-open windows of a case, derived from the journal alone."""

from __future__ import annotations

import bisect
import dataclasses
from enum import StrEnum

from pytest_anomod.model import journal as names
from pytest_anomod.model.journal import Journal


class Phase(StrEnum):
    """What a stretch of a case means."""

    WARMUP = "warmup"  # discard
    BASELINE = "baseline"  # normal
    ONSET = "onset"  # ambiguous: going in
    ANOMALY = "anomaly"  # anomalous, guaranteed
    RELEASE = "release"  # ambiguous: going out
    RECOVERY = "recovery"  # normal again, with after-effects
    CONTROL = "control"  # a control's stand-in for the anomaly window: nothing was done


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
    """All windows of a case in order, without gaps."""

    windows: tuple[Window, ...]

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

    def to_json(self) -> list[dict[str, object]]:
        """The windows as JSON."""
        return [{"phase": str(w.phase), "start_unix_nano": w.start_ns, "end_unix_nano": w.end_ns} for w in self.windows]


def derive(journal: Journal, workload_start_ns: int) -> Timeline:
    """The timeline of a journal: each window from the edge that opens it to the edge that opens the next.

    A case that broke off early has the windows it got to; the last one ends with the journal.
    """
    edges: list[tuple[Phase, int]] = [(Phase.WARMUP, workload_start_ns)]
    marks = (
        (Phase.BASELINE, names.BASELINE, "start_ns"),
        (Phase.ONSET, names.INJECT, "start_ns"),
        (Phase.ANOMALY, names.SEEN, "end_ns"),
        (Phase.CONTROL, names.HOLD, "start_ns"),
        (Phase.RELEASE, names.RECOVER, "start_ns"),
        (Phase.RECOVERY, names.GONE, "end_ns"),
    )
    is_control = journal.activity(names.INJECT) is None
    for phase, name, edge in marks:
        if is_control and phase in (Phase.ONSET, Phase.ANOMALY, Phase.RELEASE):
            continue
        if not is_control and phase is Phase.CONTROL:
            continue
        activity = journal.activity(name)
        if phase is Phase.RECOVERY and is_control:
            activity, edge = journal.activity(names.RECOVERY), "start_ns"
        if activity is None or (phase in (Phase.ANOMALY, Phase.RECOVERY) and not activity.succeeded):
            continue
        edges.append((phase, getattr(activity, edge)))
    recovery = journal.activity(names.RECOVERY)
    end_ns = recovery.end_ns if recovery is not None else journal.end_ns
    ends = [start for _, start in edges[1:]] + [max(end_ns, edges[-1][1])]
    return Timeline(
        tuple(Window(phase=phase, start_ns=start, end_ns=end) for (phase, start), end in zip(edges, ends, strict=True))
    )
