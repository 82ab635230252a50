"""What a method gets of a case: the telemetry that it is granted, and public facts of the system; no label."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_anomod.dataset import blind, tables
from pytest_anomod.dataset.read_case import DatasetCase, ModalityTables
from pytest_anomod.model import catalog
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import EvaluationError, ScenarioError
from pytest_anomod.model.failure import failed_rows
from pytest_anomod.model.modality import HOST
from pytest_anomod.model.timeline import Phase
from pytest_anomod.model.workload import is_replayed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Made = TypeVar("Made")

DICTIONARY_COLUMNS = (
    "service_name", "service_instance_id", "peer", "metric_name", "unit", "kind", "attributes", "span_name",
    "span_kind", "status_code", "severity_text", "journey", "route", "file", "function",
)  # fmt: skip
"""Columns of few distinct values; they are pandas categories."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """What is known of a system without looking at a case: its services, who calls whom, where users enter."""

    name: str
    services: tuple[str, ...]
    entry: str = ""
    calls: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """gateway, app, cache, docstore or queue, by service."""


class Rows:
    """A modality's rows of one case, read when first asked for, and what methods worked out of them."""

    def __init__(self, read: Callable[[], pd.DataFrame]) -> None:
        self._read = read
        self._frame: pd.DataFrame | None = None
        self.kept: dict[str, Any] = {}

    @property
    def frame(self) -> pd.DataFrame:
        """The rows."""
        if self._frame is None:
            self._frame = self._read()
        return self._frame


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Evidence(ModalityTables):
    """One case as a method sees it: rows with start_ns <= time_unix_nano < end_ns of the modalities in `granted`.

    A method that ranks causes gets the time of the alarm, `alarm_ns`: rows before it are normal, rows from it on are
    not. A method that detects gets none (alarm_ns is None): it scores every bin of `bin_s` seconds, `bins` are their
    starts, and the first `history_s` seconds are known to be normal. `case_id` has no meaning; `seed` is for methods
    that draw random numbers. Don't change frames: methods share them.
    """

    case_id: str
    system: Public
    start_ns: int
    end_ns: int
    alarm_ns: int | None
    granted: tuple[str, ...]
    bin_s: float = 1.0
    history_s: float = 5.0
    seed: int = 0
    replayed: bool = False
    """Whether a suite drove the system: then some requests are meant to fail. It is so of all cases of a run."""
    _rows: Mapping[str, Rows] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        frames: Mapping[str, pd.DataFrame],
        *,
        services: tuple[str, ...],
        entry: str = "",
        calls: Mapping[str, tuple[str, ...]] | None = None,
        start_ns: int,
        end_ns: int,
        alarm_ns: int | None = None,
        **others: Any,
    ) -> Evidence:
        """Evidence of frames that you have, for trying a method out; all of them are granted."""
        return cls(
            case_id=others.pop("case_id", "case-0"),
            system=Public(name="", services=services, entry=entry, calls=calls or {}),
            start_ns=start_ns,
            end_ns=end_ns,
            alarm_ns=alarm_ns,
            granted=tuple(frames),
            _rows={name: Rows(functools.partial(frames.__getitem__, name)) for name in frames},
            **others,
        )

    @property
    def services(self) -> tuple[str, ...]:
        """All services of the system, the candidates."""
        return self.system.services

    @property
    def bins(self) -> np.ndarray:
        """Starts of all whole bins, in UTC nanoseconds."""
        import numpy as np

        step = round(self.bin_s * NS_PER_S)
        return self.start_ns + step * np.arange((self.end_ns - self.start_ns) // step, dtype=np.int64)

    @property
    def normal_until_ns(self) -> int:
        """Until then the system is known to be normal: the alarm, or the end of the history."""
        return self.alarm_ns if self.alarm_ns is not None else self.start_ns + round(self.history_s * NS_PER_S)

    def table(self, modality: str) -> pd.DataFrame:
        """A modality's rows; EvaluationError when it was not granted."""
        return self._source(modality).frame

    def before(self, modality: str) -> pd.DataFrame:
        """The rows of the stretch that is known to be normal."""
        frame = self.table(modality)
        return frame[frame["time_unix_nano"] < self.normal_until_ns]

    def after(self, modality: str) -> pd.DataFrame:
        """The rows from the alarm on (for a method that detects: after the history)."""
        frame = self.table(modality)
        return frame[frame["time_unix_nano"] >= self.normal_until_ns]

    def failed(self) -> np.ndarray:
        """Whether each of `api_responses` is a failed answer, by what is usual before `normal_until_ns`."""
        import numpy as np

        frame = self.api_responses
        normal = frame["time_unix_nano"] < self.normal_until_ns
        return failed_rows(frame.assign(phase=np.where(normal, "baseline", "")), replayed=self.replayed)

    def kept(self, modality: str, what: str, make: Callable[[], Made]) -> Made:
        """What several methods compute from a modality of this case, made once."""
        source = self._source(modality)
        if what not in source.kept:
            source.kept[what] = make()
        made: Made = source.kept[what]
        return made

    def narrowed(self, modalities: tuple[str, ...]) -> Evidence:
        """The same with fewer modalities."""
        return dataclasses.replace(self, granted=tuple(name for name in self.granted if name in modalities))

    def replaced(self, frames: Mapping[str, Callable[[], pd.DataFrame]]) -> Evidence:
        """The same with other rows for some modalities."""
        return dataclasses.replace(self, _rows={**self._rows, **{name: Rows(read) for name, read in frames.items()}})

    def _source(self, modality: str) -> Rows:
        if modality not in self.granted:
            msg = f"asks for {modality!r}, which it was not granted; it was granted {', '.join(self.granted) or 'none'}"
            raise EvaluationError(msg)
        return self._rows[modality]

    def __repr__(self) -> str:
        return f"evidence of {self.case_id}: {(self.end_ns - self.start_ns) / 1e9:.1f} s, {', '.join(self.granted)}"


def alarm_evidence(case: DatasetCase, *, shift_s: float = 0.0, seed: int = 0) -> Evidence:
    """What a method that ranks causes is given: history and baseline to the end of the anomaly, split by the alarm.

    With faults in turn, to the end of the last. The alarm is the moment at which the first fault went in, as in RCAEval
    and in the evaluation of BARO, moved by `shift_s` to measure what a late or early detector costs.
    EvaluationError when the case has no such windows.
    """
    baseline, onset = (case.timeline.window(phase) for phase in (Phase.BASELINE, Phase.ONSET))
    anomaly, start_ns = case.timeline.last(Phase.ANOMALY), case.timeline.normal_from_ns
    if baseline is None or onset is None or anomaly is None or start_ns is None:
        msg = f"case {case.case_id} has no baseline, onset and anomaly window, so no cause can be ranked"
        raise EvaluationError(msg)
    alarm_ns = onset.start_ns + round(shift_s * NS_PER_S)
    if not start_ns < alarm_ns < anomaly.end_ns:
        msg = f"an alarm shifted by {shift_s:g} s lies outside of case {case.case_id}; shift it less"
        raise EvaluationError(msg)
    return _evidence(case, start_ns, anomaly.end_ns, alarm_ns, seed=seed)


def detection_evidence(
    case: DatasetCase,
    *,
    length_s: float | None = None,
    bin_s: float = 1.0,
    history_s: float = 5.0,
    seed: int = 0,
    share: Evidence | None = None,
) -> Evidence:
    """What a method that detects is given: everything from the baseline on, without coverage, whose windows are phases.

    A history before the baseline is there too, and known to be normal: `history_s` counts from the baseline on.
    `length_s` cuts it (see `equal_lengths`): a control is shorter than a case with a fault. `share` is other evidence
    of the same case: its files are not read again. EvaluationError without a baseline.
    """
    baseline = case.timeline.window(Phase.BASELINE)
    if baseline is None:
        msg = f"case {case.case_id} has no baseline, so nothing of it is known to be normal"
        raise EvaluationError(msg)
    end_ns = case.timeline.end_ns
    if length_s is not None:
        end_ns = min(end_ns, baseline.start_ns + round(length_s * NS_PER_S))
    start_ns = case.timeline.normal_from_ns or baseline.start_ns
    history_s += (baseline.start_ns - start_ns) / NS_PER_S
    return _evidence(case, start_ns, end_ns, None, bin_s=bin_s, history_s=history_s, seed=seed, share=share)


def equal_lengths(cases: Iterable[DatasetCase]) -> dict[str, float]:
    """By case the seconds, from the baseline on, of the shortest of those with the same declared durations.

    Cut to these, no case tells by its length that a fault had to be put in and taken out.
    """
    groups: dict[str, dict[str, float]] = {}
    for case in cases:
        baseline = case.timeline.window(Phase.BASELINE)
        if baseline is not None:
            declared = json.dumps(case.scenario.get("durations"), sort_keys=True)
            length_s = (case.timeline.end_ns - baseline.start_ns) / NS_PER_S
            groups.setdefault(declared, {})[case.case_id] = length_s
    return {name: min(lengths.values()) for lengths in groups.values() for name in lengths}


def _evidence(
    case: DatasetCase, start_ns: int, end_ns: int, alarm_ns: int | None, *, share: Evidence | None = None, **others: Any
) -> Evidence:
    rows: dict[str, Rows] = {}
    for name in case.modalities:
        key = f"all {name}"
        rows[key] = share._rows[key] if share else Rows(functools.partial(read_blind, case, name))
        if name != "coverage" or alarm_ns is not None:
            rows[name] = Rows(functools.partial(_cut, rows[key], name, start_ns, end_ns, alarm_ns))
    return Evidence(
        case_id=blind.blind_id(case.case_id),
        system=public(case.label.system, functools.partial(_named, case)),
        start_ns=start_ns,
        end_ns=end_ns,
        alarm_ns=alarm_ns,
        replayed=is_replayed(case.label.workload),
        granted=tuple(name for name in case.modalities if name in rows),
        _rows=rows,
        **others,
    )


def read_blind(case: DatasetCase, modality: str) -> pd.DataFrame:
    """A modality's rows of a case, all of its time, in the columns that give no label away."""
    path = case.directory / f"{modality}.parquet"
    table = tables.read_parquet(path, blind.columns_of(modality), DICTIONARY_COLUMNS)
    return tables.to_frame(table)


def public(system: str, named: Callable[[], tuple[str, ...]]) -> Public:
    """What is known of a system; of one that is not installed here only the services that its telemetry names."""
    try:
        known = catalog.find("systems", system)
    except ScenarioError:
        return Public(name=system, services=named())
    return Public(
        name=system,
        services=tuple(service.name for service in known.services),
        entry=known.entry,
        calls={service.name: service.calls for service in known.services},
        kinds={service.name: str(service.kind) for service in known.services},
    )


def _named(case: DatasetCase) -> tuple[str, ...]:
    names: set[str] = set()
    for modality in case.modalities:
        path = case.directory / f"{modality}.parquet"
        names.update(tables.read_parquet(path, ("service_name",))["service_name"].unique().to_pylist())
    return tuple(sorted(names - {HOST, None}))


def _cut(rows: Rows, modality: str, start_ns: int, end_ns: int, alarm_ns: int | None) -> pd.DataFrame:
    times = rows.frame["time_unix_nano"]
    inside = rows.frame[(times >= start_ns) & (times < end_ns)].reset_index(drop=True)
    if modality == "coverage" and alarm_ns is not None:
        return blind.split_coverage(inside, start_ns, alarm_ns)
    return inside
