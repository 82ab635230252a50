"""One case as read from disk: label, timeline, journal, manifest and tables."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.dataset import label_tables, layout, tables
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.journal import Journal, read_journal
from pytest_anomod.model.label import Label
from pytest_anomod.model.timeline import Phase, Timeline, Window

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class ModalityTables(abc.ABC):
    """The paper's five modalities by name; whoever inherits it has `table(modality)`."""

    __slots__ = ()

    @abc.abstractmethod
    def table(self, modality: str) -> pd.DataFrame:
        """A modality's rows, none for one that is absent; DatasetError for one that nobody knows."""

    @property
    def logs(self) -> pd.DataFrame:
        """Log lines."""
        return self.table("logs")

    @property
    def metrics(self) -> pd.DataFrame:
        """Metric samples."""
        return self.table("metrics")

    @property
    def traces(self) -> pd.DataFrame:
        """Spans."""
        return self.table("traces")

    @property
    def api_responses(self) -> pd.DataFrame:
        """Responses as the users got them."""
        return self.table("api_responses")

    @property
    def coverage(self) -> pd.DataFrame:
        """Lines of code covered, window by window."""
        return self.table("coverage")


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DatasetCase(ModalityTables):
    """A complete case on disk; everything but the label is read when first asked for, and then kept."""

    directory: Path
    label: Label
    _cache: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def case_id(self) -> str:
        """The id of the case."""
        return self.label.case_id

    @property
    def verdict(self) -> str:
        """What the checks found."""
        return self.label.verdict

    @cached_property
    def manifest(self) -> Mapping[str, Json]:
        """The content of case.json: rows, files, findings, versions."""
        return layout.read_manifest(self.directory)

    @cached_property
    def scenario(self) -> Mapping[str, Json]:
        """What was declared, as JSON."""
        return dict(layout.read_json(self.directory / layout.SCENARIO_FILE))

    @cached_property
    def timeline(self) -> Timeline:
        """The windows of the case; `.fine` has the recovery split where users were served again."""
        timeline = read_timeline(self.directory / layout.TIMELINE_FILE)
        # cases that were written before the timeline said it
        return dataclasses.replace(timeline, steady_again_ns=self.label.steady_again_unix_nano)

    @cached_property
    def propagation(self) -> pd.DataFrame:
        """How the fault spread: a row a step, proven, refuted or unknown (dataset/label_tables.py)."""
        return tables.to_frame(label_tables.read(label_tables.PROPAGATION, self.directory))

    @cached_property
    def request_labels(self) -> pd.DataFrame:
        """Which requests the fault affected: a row for each of the API responses."""
        return tables.to_frame(label_tables.read(label_tables.REQUEST_LABELS, self.directory))

    @cached_property
    def journal(self) -> Journal:
        """What was done and seen."""
        return read_case_journal(self.directory / layout.JOURNAL_FILE)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(layout.table_names(self.manifest))

    @property
    def absent(self) -> Mapping[str, str]:
        """Modalities that the case lacks because its system has no source of them, and why."""
        return layout.absent(self.manifest)

    def table(self, modality: str) -> pd.DataFrame:
        """A modality's rows, as written; none for one that is absent, DatasetError for one that is not of the case."""
        if modality not in self._cache:
            self._cache[modality] = tables.to_frame(self._table(modality))
        return self._cache[modality]

    def again(self) -> DatasetCase:
        """The same case with nothing read of it yet: whoever goes through many holds the rows of one."""
        return dataclasses.replace(self, _cache={})

    def _table(self, modality: str) -> pa.Table:
        if modality in self.modalities:
            return tables.read_parquet(self.directory / f"{modality}.parquet")
        empty = tables.without_rows(modality) if modality in self.absent else None
        if empty is None:
            msg = f"case {self.case_id} has no table {modality!r}; it has {', '.join(self.modalities)}"
            raise DatasetError(msg)
        return empty

    def __repr__(self) -> str:
        label = self.label
        rows = ", ".join(f"{entry['rows']:,} {name}" for name, entry in self.manifest["tables"].items())
        return f"case {label.case_id}: {label.scenario} on {label.system}, {_broken(label)}, {label.verdict} ({rows})"


def _broken(label: Label) -> str:
    """The fault and the root cause as a phrase."""
    causes = [(cause.fault, cause.root_cause_service) for cause in label.causes] or [(label.fault, label.target)]
    return " and ".join(f"{fault} at {target}" for fault, target in causes)


def read_timeline(path: Path) -> Timeline:
    """The timeline of a timeline.json; DatasetError when it is damaged."""
    entries = layout.read_json(path)
    try:
        return Timeline(
            tuple(
                Window(
                    phase=Phase(entry["phase"]),
                    start_ns=entry["start_unix_nano"],
                    end_ns=entry["end_unix_nano"],
                    extended=tuple(entry.get("extended", ())),
                )
                for entry in entries
            ),
            steady_again_ns=next(filter(None, (entry.get("steady_again_unix_nano") for entry in entries)), None),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path} holds no timeline ({error!r}); fetch it again, or remove the case"
        raise DatasetError(msg) from error


def read_case_journal(path: Path) -> Journal:
    """The journal of a journal.json; DatasetError when it is damaged."""
    document = layout.read_json(path)
    try:
        return read_journal(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{path} holds no journal ({error!r}); fetch it again, or remove the case"
        raise DatasetError(msg) from error
