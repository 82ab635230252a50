"""The part of a case that most formats hold: normal until the alarm, abnormal from then on; and rows cut to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_anomod.dataset.read_case import DatasetCase
from pytest_anomod.exporters import Losses
from pytest_anomod.model.timeline import Phase

if TYPE_CHECKING:
    import pandas as pd

OUTSIDE = "outside of the baseline and the anomaly window (warm-up, release, recovery)"
NO_CAUSE = "no root cause (controls), of which the format has no word"
SEVERAL = "several root causes (compound faults), of which the format holds one"
NO_WINDOWS = "no baseline or no anomaly window: the case broke off"

SHORT_NAMES: Mapping[str, str] = {"social_network": "SN", "train_ticket": "TT"}
"""What other people's datasets call the two systems."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Half-open: normal in [start_ns, alarm_ns), abnormal in [alarm_ns, end_ns); the fault goes in at the alarm."""

    start_ns: int
    alarm_ns: int
    end_ns: int

    def cut(self, case: DatasetCase, modality: str, losses: Losses) -> pd.DataFrame:
        """The rows of a modality that begin within; what lies outside is a loss."""
        frame = case.table(modality)
        inside = frame[self.has(frame)].reset_index(drop=True)
        losses.rows(modality, len(frame) - len(inside), OUTSIDE)
        return inside

    def has(self, frame: pd.DataFrame) -> pd.Series:
        """Whether each row begins within."""
        times = frame["time_unix_nano"]
        return (times >= self.start_ns) & (times < self.end_ns)


def stretch_of(case: DatasetCase) -> Stretch | None:
    """History, or baseline, to the end of the last anomaly window, or of a control's stand-in; None without both."""
    timeline = case.timeline
    start_ns, anomaly = timeline.normal_from_ns, timeline.last(Phase.ANOMALY) or timeline.window(Phase.CONTROL)
    if start_ns is None or anomaly is None:
        return None
    alarm = timeline.window(Phase.ONSET) or anomaly
    return Stretch(start_ns=start_ns, alarm_ns=alarm.start_ns, end_ns=anomaly.end_ns)


def stretch_with_cause(case: DatasetCase, losses: Losses) -> Stretch | None:
    """The stretch of a case with a root cause and both windows; None, and a loss, for any other."""
    if case.label.root_cause_service is None:
        losses.case(NO_CAUSE)
        return None
    stretch = stretch_of(case)
    if stretch is None:
        losses.case(NO_WINDOWS)
    return stretch


def without_slot(case: DatasetCase, taken: tuple[str, ...], losses: Losses) -> None:
    """Note the whole tables that a format has no place for."""
    for name in case.modalities:
        if name not in taken:
            losses.rows(name, case.manifest["tables"][name]["rows"], "the format has no such table")
