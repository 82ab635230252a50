"""Checks one complete case: files against the manifest, ids, schemas, windows, label against timeline and journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pytest_anomod.dataset import files, label_rows, label_tables, layout, tables
from pytest_anomod.dataset.problem import Problem
from pytest_anomod.dataset.read_case import read_case_journal, read_timeline
from pytest_anomod.model import timeline as timelines
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json, Level
from pytest_anomod.model.label import Label
from pytest_anomod.model.modality import MODALITIES
from pytest_anomod.model.timeline import Phase, Timeline, Window
from pytest_anomod.model.workload import is_replayed

REFETCH = "fetch the case again, or remove it"
REMAKE = "remove the case and run its scenario again"
LABEL_EDGES = {
    "inject_start_unix_nano": Phase.ONSET,
    "seen_unix_nano": Phase.ANOMALY,
    "recover_start_unix_nano": Phase.RELEASE,
    "gone_unix_nano": Phase.RECOVERY,
}
"""Times of the label, and the window that each of them opens."""
SILENT_WHILE_WAITING = ("logs", "traces", "api_responses")
WAITED_SPARE_NS = 500_000_000


class CaseChecker:
    """What is known of one case while it is checked. DatasetError on creation when its case.json can't be read.

    `schemas` are those of known modalities; that of an unknown one is remembered from the first case that has it, for
    all others to be held against.
    """

    def __init__(self, root: Path, directory: Path, schemas: dict[str, pa.Schema]) -> None:
        self.directory = directory
        self.where = directory.relative_to(root).as_posix()
        self.manifest = layout.read_manifest(directory)
        self.case_id = str(self.manifest["case_id"])
        self._schemas = schemas
        self._tables: dict[str, pa.Table] = {}

    @cached_property
    def timeline(self) -> Timeline:
        """The windows of the case."""
        return read_timeline(self.directory / layout.TIMELINE_FILE)

    @cached_property
    def label(self) -> Label:
        """The case's label."""
        return label_rows.row_label(label_rows.read_label_row(self.directory))

    def problem(self, name: str, what: str, todo: str = REMAKE) -> Problem:
        """A problem with a file of this case (or, with name "", with the case)."""
        return Problem(path=f"{self.where}/{name}" if name else self.where, what=what, todo=todo)

    def table(self, name: str) -> pa.Table:
        """A table of the case."""
        if name not in self._tables:
            self._tables[name] = tables.read_parquet(self.directory / f"{name}.parquet")
        return self._tables[name]

    @property
    def readable(self) -> dict[str, pa.Table]:
        """The tables that could be read and have the common columns."""
        common = {column.name for column in tables.COMMON}
        return {name: table for name, table in self._tables.items() if common <= set(table.column_names)}

    def check(self) -> Iterator[Problem]:
        """All that is wrong, short of what the telemetry says."""
        yield from self._files()
        yield from self._ids()
        yield from self._modalities()
        for name, entry in self.manifest["tables"].items():
            yield from self._guarded(name, self._table(name, entry))
        yield from self._guarded("", self._truth())

    def _modalities(self) -> Iterator[Problem]:
        """Whether each of the five is there, or its absence is explained, and the label says the same."""
        written, absent = self.manifest["tables"], layout.absent(self.manifest)
        for name in MODALITIES:
            if name not in written and name not in absent:
                what = f"has no table {name}, and case.json does not say why"
                yield self.problem("", what)
        for name in sorted({*written} & {*absent}):
            yield self.problem(layout.CASE_FILE, f"says that {name} is absent ({absent[name]}), and has a table of it")

    def _guarded(self, name: str, found: Iterator[Problem]) -> Iterator[Problem]:
        """The problems found; a file that can't be read is one more, and ends the search."""
        try:
            yield from found
        except DatasetError as error:
            yield self.problem(f"{name}.parquet" if name else "", str(error), REFETCH)

    def _files(self) -> Iterator[Problem]:
        listed: Mapping[str, Json] = self.manifest["files"]
        there = {path.relative_to(self.directory).as_posix(): path for path in self.directory.rglob("*")}
        for name, entry in listed.items():
            path = there.pop(name, None)
            if path is None:
                yield self.problem(name, "is missing", REFETCH)
            elif path.stat().st_size != entry["bytes"]:
                yield self.problem(name, f"has {path.stat().st_size} bytes, should have {entry['bytes']}", REFETCH)
            elif files.sha256(path) != entry["sha256"]:
                yield self.problem(name, f"was changed: its SHA-256 is not {entry['sha256'][:12]}...", REFETCH)
        there.pop(layout.CASE_FILE, None)
        for name in sorted(there):
            yield self.problem(name, "does not belong to the case, case.json does not list it", "move it elsewhere")
        for name in layout.REQUIRED_FILES:
            if name not in listed:
                yield self.problem(layout.CASE_FILE, f"lists no {name}, which every case has")

    def _ids(self) -> Iterator[Problem]:
        parts = [unquote(part.partition("=")[2]) for part in self.where.split("/")]
        for key, part in zip(("system", "scenario", "case_id"), parts, strict=True):
            if self.manifest[key] != part:
                what = f"says {key}={self.manifest[key]!r}, its directory {part!r}"
                yield self.problem(layout.CASE_FILE, what, "move the directory back to where it was")

    def _table(self, name: str, entry: Mapping[str, Json]) -> Iterator[Problem]:
        file, table = f"{name}.parquet", self.table(name)
        yield from self._schema(name, table)
        if name not in self.readable:
            return
        if table.num_rows != entry["rows"]:
            yield self.problem(file, f"has {table.num_rows} rows, case.json says {entry['rows']}", REFETCH)
        counts = tables.phase_counts(table["phase"])
        if counts != entry["phases"]:
            yield self.problem(file, f"has rows by phase {counts}, case.json says {entry['phases']}", REFETCH)
        others = pc.unique(table["case_id"]).to_pylist()
        if others not in ([], [self.case_id]):
            yield self.problem(file, f"has rows of case ids {others[:3]}, not only {self.case_id}")
        yield from self._windows(name, table, counts)

    def _schema(self, name: str, table: pa.Table) -> Iterator[Problem]:
        wanted = self._schemas.setdefault(name, table.schema)
        if table.schema.equals(wanted):
            return
        have = {field.name: field for field in table.schema}
        want = {field.name: field for field in wanted}
        differences = [f"{key} is missing" for key in want if key not in have]
        differences += [f"{key} is not in the schema" for key in have if key not in want]
        differences += [
            f"{key} is {_kind(have[key])}, should be {_kind(want[key])}"
            for key in want
            if key in have and not have[key].equals(want[key])
        ]
        what = "; ".join(differences) or "its columns are in another order"
        yield self.problem(f"{name}.parquet", f"differs from the schema: {what}")

    def _windows(self, name: str, table: pa.Table, counts: Mapping[str, int]) -> Iterator[Problem]:
        file = f"{name}.parquet"
        times = table["time_unix_nano"].to_numpy()
        places, inside = tables.find_windows(self.timeline, times)
        if outside := int((~inside).sum()):
            yield self.problem(file, f"has {outside} rows outside the timeline")
        phases = np.array([str(window.phase) for window in self.timeline.windows])[places]
        wrong = inside & (phases != table["phase"].to_numpy(zero_copy_only=False).astype(str))
        if wrong.any():
            row = int(wrong.argmax())
            have, want = table["phase"][row].as_py(), phases[row]
            yield self.problem(
                file, f"has {int(wrong.sum())} rows of a wrong phase, first row {row}: {have}, not {want}"
            )
        if len(times) and (np.diff(times) < 0).any():
            yield self.problem(file, "is not in order of time")
        for window in self.timeline.windows:
            silent = window.phase is Phase.WARMUP or name in layout.may_be_silent(self.manifest)
            if not silent and not counts.get(str(window.phase)):
                if name in SILENT_WHILE_WAITING and self._waited_through(window):
                    continue
                length = f"{window.length_s:.1f} s"
                yield self.problem(file, f"has no row in the {window.phase} window ({length}): its collector was blind")

    def _waited_through(self, window: Window) -> bool:
        """Whether a workload that is a closed loop (a suite) only waited for an answer in a window."""
        if not is_replayed(self.label.workload):
            return False
        responses = self.table("api_responses")
        begins = responses["time_unix_nano"].to_numpy()
        ends = begins + responses["duration_ns"].to_numpy()
        return bool(((begins < window.start_ns + WAITED_SPARE_NS) & (ends > window.end_ns - WAITED_SPARE_NS)).any())

    def _truth(self) -> Iterator[Problem]:
        """Whether label, timeline, journal and scenario say the same."""
        label, windows = self.label, self.timeline
        for key in ("case_id", "system", "scenario", "verdict"):
            if getattr(label, key) != self.manifest[key]:
                what = f"says {key}={getattr(label, key)!r}, case.json {self.manifest[key]!r}"
                yield self.problem(layout.LABEL_FILE, what)
        if dict(label.absent) != dict(layout.absent(self.manifest)):
            what = f"says absent={dict(label.absent)!r}, case.json {dict(layout.absent(self.manifest))!r}"
            yield self.problem(layout.LABEL_FILE, what)
        journal = read_case_journal(self.directory / layout.JOURNAL_FILE)
        derived = timelines.derive(journal, windows.start_ns)
        if derived != windows:
            pairs = zip(derived.windows, windows.windows, strict=False)
            first = next((a for a, b in pairs if a != b), derived.windows[-1])
            yield self.problem(layout.TIMELINE_FILE, f"is not what the journal gives, first at {first.phase}")
        control = label.level == str(Level.NORMAL)
        for key, phase in LABEL_EDGES.items():
            window = windows.window(phase)
            want = None if control or window is None else window.start_ns
            if getattr(label, key) != want:
                what = f"says {key}={getattr(label, key)}, the timeline {want} (start of {phase})"
                yield self.problem(layout.LABEL_FILE, what)
        again = label.steady_again_unix_nano
        if again is not None and label.gone_unix_nano is not None and again < label.gone_unix_nano:
            yield self.problem(layout.LABEL_FILE, f"says steady again at {again}, before the fault was gone")
        yield from self._declared(label)
        yield from self._label_tables(label)

    def _label_tables(self, label: Label) -> Iterator[Problem]:
        """Whether the label's own tables are of this case, and say the same as the label and the responses."""
        files_of = label_tables.FILES
        spread = label_tables.read(label_tables.PROPAGATION, self.directory)
        proven = [row for row in spread.to_pylist() if row["propagated"] == "yes" and row["effect"] != "load"]
        edges = [f"{row['cause']}->{row['service']}" for row in proven if row["cause"] is not None]
        if label.root_causes is not None:
            edges = [f"{row['cause']}->{row['service']}" for row in proven if row["cause"] and row["fault"] == 1]
        if len(spread) and edges != list(label.propagation_edges or ()):
            what = f"proves the steps {edges}, the label has {list(label.propagation_edges or ())}"
            yield self.problem(files_of[label_tables.PROPAGATION], what)
        requests = label_tables.read(label_tables.REQUEST_LABELS, self.directory)
        if len(requests) and "api_responses" in self.readable:
            for name in ("time_unix_nano", "trace_id"):
                if requests[name].to_pylist() != self.table("api_responses")[name].to_pylist():
                    what = f"is no row for each row of api_responses: {name} differs"
                    yield self.problem(files_of[label_tables.REQUEST_LABELS], what)
                    break

    def _declared(self, label: Label) -> Iterator[Problem]:
        scenario = layout.read_json(self.directory / layout.SCENARIO_FILE)
        fault: Any = scenario.get("fault") or {}
        for key, declared in {
            "scenario": scenario.get("name"),
            "system": scenario.get("system"),
            "fault": fault.get("name"),
            "parameters": fault.get("parameters"),
            "target": scenario.get("target"),
            "level": scenario.get("level"),
            "seed": scenario.get("seed"),
            "expects": scenario.get("expects"),
            "severity": scenario.get("severity"),
        }.items():
            if getattr(label, key) != declared:
                what = f"says {key}={getattr(label, key)!r}, {layout.SCENARIO_FILE} {declared!r}"
                yield self.problem(layout.LABEL_FILE, what)


def _kind(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ' not null'}"
