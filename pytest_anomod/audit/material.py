"""What rules look at: the cases of a dataset, whatever its form, as frames and windows, with their labels."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.workload import is_replayed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pytest_anomod.dataset.read_case import DatasetCase

Edges = tuple[int, int]
"""Start and end of a window in UTC nanoseconds, half-open."""

KEPT_BYTES = 10**9
"""Frames of so many bytes stay in memory, however many cases there are, and the one that is looked at."""

LABELLED = (Phase.ONSET, Phase.ANOMALY, Phase.RELEASE)
"""Windows in which a fault is in, or is put in or taken out."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """Size and digest of a file; of one that Git LFS keeps elsewhere, those that its pointer tells."""

    bytes: int
    digest: str


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AuditCase:
    """One case. `read` gives a modality's rows, or None where there are none; the last are kept, up to KEPT_BYTES.

    Rows have `time_unix_nano` and `service_name`, and columns named as ours where the dataset has the like. `windows`
    are empty where the dataset does not say when its fault was in. `facts` gives size and digest of files, or of what
    is in tables, named without what differs by case.
    """

    case_id: str
    system: str
    scenario: str
    target: str
    is_control: bool
    level: str = ""
    verdict: str = ""
    """What the dataset says itself of how the case went; "" where it says nothing."""
    modalities: tuple[str, ...]
    read: Callable[[str], pd.DataFrame | None]
    windows: Mapping[str, Edges] = dataclasses.field(default_factory=dict)
    facts: Callable[[], Mapping[str, FileFacts]] = dict
    lines: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Log lines by service, where they are counted without being there."""
    started_ns: int = 0
    """When the case began, as it says itself; 0 where it does not."""
    has_label: bool = True
    naive_times: tuple[str, ...] = ()
    """Modalities whose times have no time zone."""
    uncut: tuple[str, ...] = ()
    """Modalities that were not cut to the case, as their collector says itself."""
    stored: DatasetCase | None = None
    """The case as our own reader gives it, of a dataset in our own form."""

    def failed(self) -> np.ndarray:
        """Whether each row of its API responses is a failed answer."""
        replayed = self.stored is not None and is_replayed(self.stored.label.workload)
        return failed_rows(self.table("api_responses"), replayed=replayed)

    def table(self, modality: str) -> pd.DataFrame | None:
        """A modality's rows; None where the case has none."""
        return _frame(self, modality)

    def inside(self, modality: str, *phases: str) -> pd.DataFrame | None:
        """The rows in these windows."""
        frame = self.table(modality)
        return None if frame is None else frame[self.within(frame, *phases)]

    def within(self, frame: pd.DataFrame, *phases: str) -> pd.Series:
        """Whether each row lies in one of these windows."""
        times = frame["time_unix_nano"]
        found = times < times  # no row
        for phase in phases:
            if phase in self.windows:
                start, end = self.windows[phase]
                found |= (times >= start) & (times < end)
        return found

    def seconds(self, *phases: str) -> float:
        """How long these windows are together."""
        return sum((self.windows[phase][1] - self.windows[phase][0]) / 1e9 for phase in phases if phase in self.windows)


_kept: collections.OrderedDict[tuple[AuditCase, str], tuple[pd.DataFrame | None, int]] = collections.OrderedDict()


def _frame(case: AuditCase, modality: str) -> pd.DataFrame | None:
    key = (case, modality)
    if key not in _kept:
        frame = case.read(modality)
        _kept[key] = frame, 0 if frame is None else int(frame.memory_usage(deep=True).sum())
        while len(_kept) > 1 and sum(size for _, size in _kept.values()) > KEPT_BYTES:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key][0]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """All cases of a dataset; `form` says whose layout it has."""

    path: Any
    form: str
    cases: tuple[AuditCase, ...]

    @cached_property
    def systems(self) -> dict[str, tuple[AuditCase, ...]]:
        """The cases by system."""
        names = dict.fromkeys(case.system for case in self.cases)
        return {name: tuple(case for case in self.cases if case.system == name) for name in names}

    @property
    def labelled(self) -> Iterator[AuditCase]:
        """Cases with a fault."""
        return (case for case in self.cases if not case.is_control)

    @property
    def timed(self) -> Iterator[AuditCase]:
        """Cases with a fault of which it is known when it was in, and what was before."""
        return (case for case in self.labelled if Phase.ANOMALY in case.windows and Phase.BASELINE in case.windows)
