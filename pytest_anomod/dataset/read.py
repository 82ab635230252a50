"""Reads datasets: `load_dataset(path)` gives the cases and each modality as pandas DataFrames joined with the label."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pytest_anomod.dataset import index, label_tables, layout, tables
from pytest_anomod.dataset.blind_dataset import BlindDataset
from pytest_anomod.dataset.label_rows import row_label
from pytest_anomod.dataset.read_case import DatasetCase, ModalityTables
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json, Level
from pytest_anomod.model.modality import in_order
from pytest_anomod.model.timeline import FINE, Phase
from pytest_anomod.model.verdict import Verdict

__all__ = ["Dataset", "DatasetCase", "load_dataset", "to_datetime"]

LABEL_COLUMNS = ("system", "scenario", "level", "fault", "root_cause_service", "verdict")
"""Columns of the label that every row of every table is joined with; `is_anomalous` comes after them."""

FINE_PHASE = "fine_phase"
"""The phase, with the recovery split in recovering and recovered; after `is_anomalous`."""

ALWAYS = ("case_id", "time_unix_nano", "phase")
"""Columns that are read whatever `columns` asks for."""

DICTIONARY_COLUMNS = ("case_id", "service_name", "service_instance_id", "phase", "phase_end", "metric_name")
"""Columns of few distinct values; they become pandas categories, which saves most of the memory."""


@overload
def load_dataset(
    path: str | os.PathLike[str],
    *,
    systems: str | Sequence[str] | None = None,
    scenarios: str | Sequence[str] | None = None,
    verdicts: str | Sequence[str] | None = None,
    superseded: bool = False,
    blind: Literal[True],
) -> BlindDataset: ...


@overload
def load_dataset(
    path: str | os.PathLike[str],
    *,
    systems: str | Sequence[str] | None = None,
    scenarios: str | Sequence[str] | None = None,
    verdicts: str | Sequence[str] | None = None,
    phases: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    superseded: bool = False,
    blind: Literal[False] = False,
) -> Dataset: ...


def load_dataset(
    path: str | os.PathLike[str],
    *,
    systems: str | Sequence[str] | None = None,
    scenarios: str | Sequence[str] | None = None,
    verdicts: str | Sequence[str] | None = None,
    phases: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    superseded: bool = False,
    blind: bool = False,
) -> Dataset | BlindDataset:
    """The dataset below `path` (or a URL, see layout.place), narrowed; tables are read when asked for.

    `phases` keeps only rows of these phases (recovering and recovered are the two parts of a recovery), `columns` only
    these columns of each table (case_id, time_unix_nano, phase and the label's columns come along always). An attempt
    that was spoiled and played again is left out unless `superseded`. `blind` gives telemetry without labels (see
    BlindDataset); then `phases` is an error, because phases are labels. Only complete cases are read. The index is used
    when it is up to date and done without when not. DatasetError when there is no dataset at `path`, when it is of a
    newer format, when a file is damaged, or when a filter names what can't be.
    """
    root = layout.place(path)
    check_root(root)
    rows = _rows(root)
    if not superseded:
        replaced = {row.get("replaces") for row in rows}
        rows = [row for row in rows if row["case_id"] not in replaced]
    chosen_phases = _known("phase", phases, [str(phase) for phase in Phase])
    for key, wanted, known in (
        ("system", systems, sorted({row["system"] for row in rows})),
        ("scenario", scenarios, sorted({row["scenario"] for row in rows})),
        ("verdict", verdicts, [str(verdict) for verdict in Verdict]),
    ):
        chosen = _known(key, wanted, known)
        rows = [row for row in rows if chosen is None or row[key] in chosen]
    whole = Dataset(path=root, rows=tuple(rows), columns=tuple(columns) if columns else None, phases=chosen_phases)
    if not blind:
        return whole
    if phases is not None or columns is not None:
        msg = "blind=True gives all telemetry and no label: leave phases and columns out, choose among what you get"
        raise DatasetError(msg)
    return BlindDataset(dataset=whole)


def to_datetime(times: Any) -> Any:
    """UTC nanoseconds (a Series, a list, one number) as pandas datetimes with time zone UTC, nothing rounded."""
    return pd.to_datetime(times, unit="ns", utc=True)


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Dataset(ModalityTables):
    """Complete cases of a dataset. A table is read when first asked for and kept; copy it before you change it.

    `.cases` has one row a case: the label, `is_control`, times, rows per modality, path. Its `absent` is an object, as
    JSON text: the modalities that a case lacks because its system has no source of them, and why. Each table has its
    own columns, then those of LABEL_COLUMNS, `is_anomalous` (the row lies in the anomaly window of a case that is no
    control) and `fine_phase` (the phase, with the recovery split where users were served as before again). A third
    party's column of one of these names is read as `row_<name>`.
    `.propagation` and `.request_labels` are the label's own tables; joined to no telemetry unless you do it.
    Columns of few values are pandas categories (with pandas before 3, say observed=True when you group by them).
    """

    path: Path
    rows: tuple[Mapping[str, Json], ...]
    columns: tuple[str, ...] | None = None
    phases: tuple[str, ...] | None = None
    _cache: dict[str, Any] = dataclasses.field(default_factory=dict)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row a case, in order of path; times are Int64 nanoseconds, <NA> where the case never got there."""
        frame = tables.to_frame(
            pa.Table.from_pylist([dict(row) for row in self.rows], schema=index.index_schema(self.rows))
        )
        frame.insert(frame.columns.get_loc("level") + 1, "is_control", frame["level"] == str(Level.NORMAL))
        return frame

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """Names of all modalities that any case has a table of."""
        found = {
            key.removeprefix("rows_")
            for row in self.rows
            for key, value in row.items()
            if key.startswith("rows_") and value is not None
        }
        return in_order(found)

    def table(self, modality: str) -> pd.DataFrame:
        """The rows of a modality of all cases that have it, joined with the label; DatasetError for one nobody knows.

        Where no case has it the table has its columns and no row; `cases.absent` says which case lacks what, and why.
        """
        if modality not in self._cache:
            self._cache[modality] = self._read(modality)
        return self._cache[modality]

    @cached_property
    def propagation(self) -> pd.DataFrame:
        """How the faults spread: a row a step of a case, proven, refuted or unknown."""
        return self._label_table(label_tables.PROPAGATION)

    @cached_property
    def request_labels(self) -> pd.DataFrame:
        """Which requests the faults affected: a row for each of the API responses, joined by case_id and row."""
        return self._label_table(label_tables.REQUEST_LABELS)

    def case(self, case_id: str) -> DatasetCase:
        """One case with label, timeline, journal and tables; DatasetError when there is none of that id."""
        for row in self.rows:
            if row["case_id"] == case_id:
                return self._case(row)
        near = difflib.get_close_matches(case_id, [row["case_id"] for row in self.rows], n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        msg = f"{self.path} has no case {case_id!r} among its {len(self.rows)} chosen cases{hint}"
        raise DatasetError(msg)

    def __iter__(self) -> Iterator[DatasetCase]:
        return (self._case(row) for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        lines = [f"Dataset at {self.path}: {len(self.rows)} complete cases"]
        for system in sorted({row["system"] for row in self.rows}):
            mine = [row for row in self.rows if row["system"] == system]
            verdicts = [row["verdict"] for row in mine]
            parts = [f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))]
            names = len({row["scenario"] for row in mine})
            lines.append(f"  {system}: {len(mine)} cases of {names} scenarios ({', '.join(parts)})")
        totals = {name: sum(row.get(f"rows_{name}") or 0 for row in self.rows) for name in self.modalities}
        return "\n".join([*lines, *(f"  .{name}: {rows:,} rows" for name, rows in totals.items())])

    def _case(self, row: Mapping[str, Json]) -> DatasetCase:
        return DatasetCase(directory=self.path / row["path"], label=row_label(row))

    def _label_table(self, name: str) -> pd.DataFrame:
        parts = [label_tables.read(name, self.path / row["path"]) for row in self.rows]
        whole = pa.concat_tables([part for part in parts if len(part)] or [label_tables.schema(name).empty_table()])
        return tables.to_frame(whole.unify_dictionaries())

    def _read(self, modality: str) -> pd.DataFrame:
        having = [row for row in self.rows if row.get(f"rows_{modality}") is not None]
        if not having:
            return self._without_rows(modality)
        with concurrent.futures.ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            parts = list(pool.map(lambda row: self._read_one(modality, row), having))
        try:
            whole = pa.concat_tables(parts, promote_options="default").unify_dictionaries()
        except pa.ArrowException as error:
            msg = f"the {modality} tables of {self.path} differ in schema ({error}); `anomod validate` says which do"
            raise DatasetError(msg) from error
        return tables.to_frame(whole)

    def _without_rows(self, modality: str) -> pd.DataFrame:
        table = tables.without_rows(modality)
        if table is None:
            msg = f"{self.path} has no table {modality!r}; it has {', '.join(self.modalities) or 'none'}"
            raise DatasetError(msg)
        if self.columns is not None:
            table = table.select([name for name in table.column_names if name in (*ALWAYS, *self.columns)])
        for name in set(table.column_names) & set(DICTIONARY_COLUMNS):
            encoded = table[name].dictionary_encode()
            table = table.set_column(table.column_names.index(name), name, encoded)
        return tables.to_frame(_join_label(table, {**dict.fromkeys(LABEL_COLUMNS, ""), "level": ""}))

    def _read_one(self, modality: str, row: Mapping[str, Json]) -> pa.Table:
        path = self.path / row["path"] / f"{modality}.parquet"
        wanted = None if self.columns is None else [*ALWAYS, *self.columns]
        table = tables.read_parquet(path, wanted, DICTIONARY_COLUMNS)
        table = _join_label(table, row)
        if self.phases is not None:
            wanted = pa.array(self.phases, pa.string())
            chosen = [pc.is_in(pc.cast(table[name], pa.string()), wanted) for name in ("phase", FINE_PHASE)]
            table = table.filter(pc.or_(*chosen))
        return table


def _join_label(table: pa.Table, row: Mapping[str, Json]) -> pa.Table:
    """The table with the label's columns, is_anomalous and fine_phase at its end."""
    if clash := set(table.column_names) & {*LABEL_COLUMNS, "is_anomalous", FINE_PHASE}:
        table = table.rename_columns([f"row_{name}" if name in clash else name for name in table.column_names])
    for name in LABEL_COLUMNS:
        place = pa.scalar(None if row[name] is None else 0, pa.int32())
        values = pa.array([] if row[name] is None else [row[name]], pa.string())
        column = pa.DictionaryArray.from_arrays(pa.repeat(place, table.num_rows), values)
        table = table.append_column(pa.field(name, column.type, nullable=row[name] is None), column)
    anomalous = pc.equal(pc.cast(table["phase"], pa.string()), str(Phase.ANOMALY))
    if row["level"] == str(Level.NORMAL):
        anomalous = pa.repeat(pa.scalar(False), table.num_rows)
    table = table.append_column(pa.field("is_anomalous", pa.bool_(), nullable=False), anomalous)
    fine = _fine_phases(table, row)
    return table.append_column(pa.field(FINE_PHASE, fine.type, nullable=False), fine)


def _fine_phases(table: pa.Table, row: Mapping[str, Json]) -> pa.Array:
    """The phase of each row, with the recovery split where users were served as before (as Timeline.fine does)."""
    phases = table["phase"].combine_chunks()
    if not isinstance(phases, pa.DictionaryArray):
        phases = phases.dictionary_encode()
    names, codes = phases.dictionary.to_pylist(), phases.indices.to_numpy()
    if str(Phase.RECOVERY) in names:
        again_ns = row.get("steady_again_unix_nano")
        inside = codes == names.index(str(Phase.RECOVERY))
        again = np.full(len(codes), row["level"] == str(Level.NORMAL))
        if again_ns is not None:
            again |= table["time_unix_nano"].to_numpy() >= again_ns
        codes = np.where(inside, len(names) + again, codes)
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), [*names, *map(str, FINE)])


def _known(key: str, wanted: str | Iterable[str] | None, known: Sequence[str]) -> tuple[str, ...] | None:
    if wanted is None:
        return None
    chosen = (wanted,) if isinstance(wanted, str) else tuple(str(item) for item in wanted)
    for item in chosen:
        if item not in known:
            near = difflib.get_close_matches(item, known, n=3) or known
            msg = f"no {key} {item!r} here; did you mean {', '.join(near)}?"
            raise DatasetError(msg)
    return chosen


def check_root(root: Path) -> None:
    if not root.exists():
        msg = f"{root} does not exist; name the directory that holds {layout.DATASET_FILE} (pytest --anomod-out)"
        raise DatasetError(msg)
    if not root.is_dir():
        msg = f"{root} is a file; name the directory that holds {layout.DATASET_FILE}"
        raise DatasetError(msg)
    document = root / layout.DATASET_FILE
    if document.exists():
        layout.check_version(layout.read_json(document), document)
    elif not any(root.glob("system=*")):
        inside = next((parent for parent in root.absolute().parents if (parent / layout.DATASET_FILE).exists()), None)
        hint = (
            f"it lies inside the dataset {inside}, name that" if inside else "name the root that cases were written to"
        )
        msg = f"{root} is not a dataset: it has no {layout.DATASET_FILE} and no system=* directory; {hint}"
        raise DatasetError(msg)


def _rows(root: Path) -> list[dict[str, Json]]:
    """A row a complete case: those of the index if it knows exactly the cases there are, else read from the cases."""
    there = [path for path in layout.case_directories(root) if layout.is_complete(path)]
    paths = [path.relative_to(root).as_posix() for path in there]
    if (root / layout.CASES_FILE).exists():
        rows: list[dict[str, Json]] = tables.read_parquet(root / layout.CASES_FILE).to_pylist()
        if [row.get("path") for row in rows] == paths:
            return index.mark_superseded(rows)  # one that was written before the index told it has no mark
    return index.mark_superseded(index.case_row(root, directory) for directory in there)
