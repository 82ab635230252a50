"""Makes a dataset ready for others, from its files alone: equal datasets give equal bytes."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from pytest_anomod.dataset import index, layout, tables
from pytest_anomod.dataset.files import write_json
from pytest_anomod.dataset.problem import Problem
from pytest_anomod.dataset.read import Dataset, load_dataset
from pytest_anomod.dataset.validate import validate
from pytest_anomod.exporters.command import whole
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.fault import Json
from pytest_anomod.publishing import archives, datasheet, metadata, sample

AT_HAND = ("CC-BY-4.0", "CC0-1.0")
SHOWN = 5
"""Problems that a refusal names."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """What the data can't tell: title, authors, where it will be, version, licence with its full text."""

    title: str
    authors: tuple[str, ...] = ()
    url: str = ""
    release: str = "1.0.0"
    license: str = "CC-BY-4.0"
    license_text: str = ""

    @classmethod
    def of(cls, *, license: str, license_file: Path | None = None, **others: object) -> Terms:
        """The terms with the text of a licence of ours, or of a file; DatasetError when there is none."""
        try:
            if license_file is not None:
                text = license_file.read_text(encoding="utf-8")
            else:
                text = resources.files(__package__).joinpath("licences", f"{license}.txt").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = (
                f"no text of the licence {license!r} ({license_file or error}); at hand are {', '.join(AT_HAND)}: "
                "take one of them, or name a file by --license-file"
            )
            raise DatasetError(msg) from error
        return cls(license=license, license_text=text, **others)  # type: ignore[arg-type]


def publish(path: str | os.PathLike[str], out: Path, terms: Terms, *, anyway: bool = False) -> Sequence[Problem]:
    """Write the archives of the dataset at `path` (or URL) and all that goes with them into `out`; the problems it has.

    DatasetError when `anomod validate` finds problems (unfinished cases are some) and not `anyway`, when there is no
    complete case, or `out` exists.
    """
    problems = validate(path)
    if problems and not anyway:
        shown = "\n".join(str(problem) for problem in problems[:SHOWN])
        more = f"\nand {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        msg = f"{path} has {len(problems)} problems; see to them (`anomod validate`), or say --anyway\n{shown}{more}"
        raise DatasetError(msg)
    data = load_dataset(path, superseded=True)
    if not len(data):
        msg = f"{path} has no complete case, so there is nothing to publish"
        raise DatasetError(msg)
    with whole(out) as partial:
        _write(data, partial, terms, problems)
    return problems


def _write(data: Dataset, out: Path, terms: Terms, problems: Sequence[Problem]) -> None:
    sheet = datasheet.count(data)
    _write_index(data, out, sheet.first_ns)
    packed: dict[str, str] = {}
    for system in sorted({row["system"] for row in data.rows}):
        name = f"{system}.zip"
        mine = [data.path / row["path"] for row in data.rows if row["system"] == system]
        archives.write_archive(out / name, data.path, mine)
        packed[system] = name
    samples = sample.write_sample(out / "sample", data.path, data.rows, sheet.first_ns)
    (out / "LICENSE").write_text(terms.license_text, encoding="utf-8")
    write_json(out / "versions.json", {"release": terms.release, **sheet.versions})
    _write_split(data.rows, out)
    released = dt.datetime.fromtimestamp(sheet.last_ns // NS_PER_S, tz=dt.UTC).date().isoformat()
    (out / "CITATION.cff").write_text(metadata.citation(terms, released), encoding="utf-8")
    write_json(out / "croissant.json", metadata.croissant(data, out, terms, released, packed))
    page = datasheet.render(data, out, sheet, terms, packed, samples, problems)
    (out / "README.md").write_text(page, encoding="utf-8")
    lines = [f"{digest}  {name}\n" for name, digest in archives.checksums(out)]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _write_index(data: Dataset, out: Path, created_ns: int) -> None:
    """cases.parquet and dataset.json as they are right once all archives are unpacked here."""
    table, document = index.build_index(data.path)
    tables.write_parquet(out / layout.CASES_FILE, table)
    write_json(out / layout.DATASET_FILE, {**document, "created_unix_nano": created_ns, "incomplete": []})


def _write_split(rows: Sequence[Mapping[str, Json]], out: Path) -> None:
    """splits.csv, if the labels tell a split."""
    if not any(row.get("split") for row in rows):
        return
    with open(out / "splits.csv", "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("case_id", "system", "scenario", "split"))
        lines.writerows((row["case_id"], row["system"], row["scenario"], row.get("split") or "") for row in rows)
