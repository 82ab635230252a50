"""Writes one case: its JSON files, its tables, its label, and last of all case.json, which makes it a case."""

from __future__ import annotations

import datetime as dt
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.dataset import files, layout
from pytest_anomod.dataset.index import write_index
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.label import Label
from pytest_anomod.model.modality import Columns, Modality
from pytest_anomod.model.propagation import Propagation
from pytest_anomod.model.timeline import Timeline

if TYPE_CHECKING:
    from pytest_anomod.dataset.tables import Written

__all__ = ["CaseWriter", "new_case_id", "write_index"]

MINIMUM_FREE_BYTES = 32 * 2**20
"""With less free space a case is not even begun; a quick case takes a few MB, a long one some tens."""


def new_case_id() -> str:
    """A case id: the UTC minute and eight random hex digits, such as 20261122T0425Z-7f3a09c2.

    It is claimed by CaseWriter, which makes its directory exclusively; CaseWriter without a case id tries
    new ones until one is free in the whole dataset.
    """
    minute = dt.datetime.fromtimestamp(clock.now_ns() / clock.NS_PER_S, tz=dt.UTC)
    return f"{minute:%Y%m%dT%H%MZ}-{secrets.token_hex(4)}"


class CaseWriter:
    """Owns the directory of one case, from its creation to `complete` or `abandon`.

    Every file appears whole or not at all. Every method raises DatasetError, naming the file, the bytes free and what
    to do, when the disk refuses. `written` says per modality what became of its rows.
    """

    def __init__(self, out: Path, system: str, scenario: str, case_id: str | None = None) -> None:
        """Make the case's directory; DatasetError when `out` can't take a case, or the case id is taken."""
        self.out = Path(out)
        self.system = system
        self.scenario = scenario
        self.written: dict[str, Written] = {}
        self._label: Label | None = None
        self._span: tuple[int, int] | None = None
        self._state = "open"
        layout.case_path(system, scenario, case_id or "-")  # names are checked before anything is made
        check_out(self.out)
        self.case_id = case_id or self._claim()
        if case_id is not None and not _claim(self.out, system, scenario, case_id):
            msg = f"case id {case_id!r} is taken below {self.out}; leave case_id out, and a free one is chosen"
            raise DatasetError(msg)

    @property
    def directory(self) -> Path:
        """The directory of the case."""
        return self.out / layout.case_path(self.system, self.scenario, self.case_id)

    def write_json(self, name: str, document: Json) -> None:
        """Write a JSON file of that name; numpy scalars, dataclasses and paths are taken too, NaN becomes null."""
        self._check_open(f"write {name}")
        files.write_json(self.directory / name, document)

    def write_table(self, modality: Modality, columns: Columns, timeline: Timeline) -> Any:
        """Write a modality's rows, with case_id and phases, in time order; return them as a pandas DataFrame.

        Rows outside the timeline are not written but counted: `written[modality.name].outside`, and in case.json.
        DatasetError names the column and the row of what does not fit the modality's schema.
        """
        from pytest_anomod.dataset import tables

        self._check_open(f"write the table of {modality.name}")
        self._span = (timeline.start_ns, timeline.end_ns)
        table, written = tables.build(modality, columns, timeline, self.case_id)
        tables.write_parquet(self.directory / f"{modality.name}.parquet", table)
        self.written[modality.name] = written
        return tables.to_frame(table)

    def write_label(self, label: Label) -> None:
        """Write label.parquet; DatasetError when the label is another case's."""
        from pytest_anomod.dataset import label_rows, tables

        self._check_open("write the label")
        mine = {"case_id": self.case_id, "system": self.system, "scenario": self.scenario}
        for key, value in mine.items():
            if getattr(label, key) != value:
                msg = f"label with {key}={getattr(label, key)!r} in case {self.directory}, where {key} is {value!r}"
                raise DatasetError(msg)
        tables.write_parquet(self.directory / layout.LABEL_FILE, label_rows.label_table(label))
        self._label = label

    def write_label_tables(self, spread: Propagation | None, requests: Mapping[str, Any] | None) -> None:
        """Write propagation.parquet and request_labels.parquet (dataset/label_tables.py); None where there is none."""
        from pytest_anomod.dataset import label_tables, tables

        self._check_open("write the label's tables")
        made = {
            label_tables.PROPAGATION: spread and label_tables.propagation_table(self.case_id, spread),
            label_tables.REQUEST_LABELS: requests and label_tables.request_table(self.case_id, requests),
        }
        for name, table in made.items():
            if table is not None:
                tables.write_parquet(self.directory / label_tables.FILES[name], table)

    def complete(self, manifest: Mapping[str, Json]) -> dict[str, Json]:
        """Write case.json, the last file, and with it make the directory a case; return its content.

        `manifest` must hold `verdict`, and may hold `dropped` (records lost, per modality), `findings`, `versions` and
        more. Added are format version, ids, times, rows per table and phase, and size and SHA-256 of every file.
        """
        self._check_open("complete it")
        self._check_whole(manifest)
        start_ns, end_ns = self._span or (None, None)
        document = {
            **manifest,
            "format_version": layout.FORMAT_VERSION,
            "case_id": self.case_id,
            "system": self.system,
            "scenario": self.scenario,
            "started_unix_nano": start_ns,
            "ended_unix_nano": end_ns,
            "completed_unix_nano": clock.now_ns(),
            "tables": {name: self._table_entry(name, manifest) for name in self.written},
            "files": {
                path.relative_to(self.directory).as_posix(): {
                    "bytes": path.stat().st_size,
                    "sha256": files.sha256(path),
                }
                for path in sorted(self.directory.rglob("*"))
                if path.is_file() and not files.is_temporary(path)
            },
        }
        files.write_json(self.directory / layout.CASE_FILE, document)
        self._state = "complete"
        return document

    def abandon(self, reason: str) -> None:
        """Say in incomplete.json why this never became a case; a complete case stays complete."""
        if self._state != "open":
            return
        self._state = "abandoned"
        files.write_json(
            self.directory / layout.INCOMPLETE_FILE,
            {
                "format_version": layout.FORMAT_VERSION,
                "case_id": self.case_id,
                "system": self.system,
                "scenario": self.scenario,
                "reason": reason,
                "abandoned_unix_nano": clock.now_ns(),
            },
        )

    def _claim(self) -> str:
        while True:
            case_id = new_case_id()
            if _claim(self.out, self.system, self.scenario, case_id):
                return case_id

    def _check_open(self, what: str) -> None:
        if self._state != "open":
            msg = f"case {self.case_id} is {self._state}, it is too late to {what}; make a new CaseWriter"
            raise DatasetError(msg)

    def _check_whole(self, manifest: Mapping[str, Json]) -> None:
        missing = [name for name in layout.REQUIRED_FILES if not (self.directory / name).is_file()]
        if missing or not self.written:
            msg = f"case {self.directory} can't be completed: {', '.join(missing) or 'every table'} was not written"
            raise DatasetError(msg)
        verdict = str(manifest.get("verdict", ""))
        if self._label is not None and verdict != self._label.verdict:
            msg = f"case {self.case_id}: verdict {verdict!r} in the manifest, {self._label.verdict!r} in the label"
            raise DatasetError(msg)

    def _table_entry(self, name: str, manifest: Mapping[str, Json]) -> dict[str, Json]:
        written = self.written[name]
        dropped = (manifest.get("dropped") or {}).get(name, 0)
        return {"rows": written.rows, "phases": written.phases, "outside": written.outside, "dropped": dropped}


def check_out(out: Path) -> None:
    """Make the dataset's root; DatasetError when it is no directory, can't be written to, or its disk is full."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out) as file:
            file.write(b"?")
    except (FileExistsError, NotADirectoryError) as error:
        msg = f"{out} can't hold a dataset: {error.filename or out} is a file; name a directory"
        raise DatasetError(msg) from error
    except OSError as error:
        raise files.refusal(error, out) from error
    free = files.free_bytes(out)
    if free < MINIMUM_FREE_BYTES:
        msg = (
            f"{out} has {free:,} bytes free, a case needs at least {MINIMUM_FREE_BYTES:,}; free some space, "
            "or put the dataset elsewhere"
        )
        raise DatasetError(msg)


def _claim(out: Path, system: str, scenario: str, case_id: str) -> bool:
    """Make a case's directory; False when the id is in use anywhere below `out`, whoever else tries at this moment."""
    directory = out / layout.case_path(system, scenario, case_id)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir()
    except FileExistsError:
        return False
    except OSError as error:
        raise files.refusal(error, directory) from error
    # made first, looked for after: of two processes with one id at least one sees the other, and none keeps it unseen
    if len(list(out.glob(f"system=*/scenario=*/{directory.name}"))) > 1:
        directory.rmdir()
        return False
    return True
