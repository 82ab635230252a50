"""The card of a published dataset: the questions of "Datasheets for Datasets", answered by counting.

Gebru et al., "Datasheets for Datasets", Communications of the ACM 64(12), 2021. What the data can't answer (why it was
made, who paid) is not on the card: whoever publishes writes that.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.dataset import card, layout
from pytest_anomod.dataset.problem import Problem
from pytest_anomod.dataset.read import Dataset
from pytest_anomod.exporters import _merged
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.fault import Json
from pytest_anomod.publishing import metadata

if TYPE_CHECKING:
    from pytest_anomod.publishing.publish import Terms

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10**7, "1M<n<10M"))
"""Hugging Face's classes of size, by rows."""
SHOWN_PROBLEMS = 20


@dataclasses.dataclass(kw_only=True)
class Sheet:
    """What was counted in the manifests, timelines and labels of all cases."""

    first_ns: int
    last_ns: int
    rows: Counter[str]
    dropped: Counter[str]
    outside: Counter[str]
    absent: Counter[tuple[str, str]]
    windows: dict[str, list[float]]
    versions: dict[str, list[str]]


def count(data: Dataset) -> Sheet:
    """Read the small files of each case, one case at a time."""
    times = [case.timeline for case in data]
    sheet = Sheet(
        first_ns=min(timeline.start_ns for timeline in times),
        last_ns=max(timeline.end_ns for timeline in times),
        rows=Counter(),
        dropped=Counter(),
        outside=Counter(),
        absent=Counter(),
        windows={},
        versions={},
    )
    versions: dict[str, set[str]] = {}
    for case, timeline in zip(data, times, strict=True):
        for name, entry in case.manifest["tables"].items():
            sheet.rows[name] += entry["rows"]
            sheet.dropped[name] += entry.get("dropped") or 0
            sheet.outside[name] += entry.get("outside") or 0
        sheet.absent.update(case.absent.items())
        for window in timeline.windows:
            sheet.windows.setdefault(str(window.phase), []).append(window.length_s)
        for name, version in case.label.versions.items():
            if name != "written":
                versions.setdefault(name, set()).add(str(version))
    sheet.versions = {name: sorted(found) for name, found in sorted(versions.items())}
    return sheet


def render(
    data: Dataset,
    out: Path,
    sheet: Sheet,
    terms: Terms,
    packed: Mapping[str, str],
    samples: int,
    problems: Sequence[Problem],
) -> str:
    """The README.md: front matter of Hugging Face, then the datasheet."""
    parts = [
        _front_matter(data, sheet, terms),
        f"# {terms.title}",
        f"{len(data)} cases, version {terms.release}, licence {terms.license} (LICENSE). "
        f"To cite: {metadata.cite_as(terms, _day(sheet.last_ns))} (CITATION.cff)",
        _composition(data, sheet),
        _labels(data),
        _collection(data, sheet),
        _preprocessing(sheet),
        _quality(data, problems),
        _distribution(out, packed, samples),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(data: Dataset, sheet: Sheet, terms: Terms) -> str:
    size = next((name for most, name in SIZES if sheet.rows.total() < most), "n>10M")
    tables: dict[str, dict[str, list[str]]] = {_merged.CASES: {card.SPLIT: ["cases.parquet"]}}
    for name in data.modalities:
        tables[metadata.sample_table(name)] = {card.SPLIT: [f"sample/{layout.CASE_PATTERN}/{name}.parquet"]}
    head = [
        f"license: {terms.license.lower()}",
        f"pretty_name: {json.dumps(terms.title, ensure_ascii=False)}",
        "task_categories:",
        "- time-series-forecasting",
        "- tabular-classification",
        f"tags: {json.dumps(list(metadata.KEYWORDS))}",
        f"size_categories:\n- {size}",
    ]
    return "\n".join(["---", *head, *card.configs(tables), "---"])


def _composition(data: Dataset, sheet: Sheet) -> str:
    lines = [
        "## Composition",
        "",
        "An instance is a case: one scenario played on a running system, from a baseline over the fault to recovery. "
        "Controls are cases in which nothing was done.",
        "",
        _table(("system", "cases", "scenarios", "faults", "targets", "controls", "MB"), _systems(data.rows)),
        "",
        "Each case has its label (`cases`), timeline, journal and these tables:",
        "",
    ]
    rows = []
    for name, schema in _merged.schemas(data).items():
        columns = ", ".join(f"`{column}`" for column in schema.names)
        rows.append((f"`{name}`", f"{sheet.rows[name] if name in sheet.rows else len(data):,}", columns))
    lines.append(_table(("table", "rows", "columns"), rows))
    if sheet.absent:
        missing = ((name, cases, why) for (name, why), cases in sorted(sheet.absent.items()))
        lines += ["", "What cases lack:", "", _table(("table", "cases", "why"), missing)]
    replaced = sum(row.get("replaces") is not None for row in data.rows)
    lines += ["", f"{replaced} cases replace one that was spoiled and played again (`replaces` names it)."]
    return "\n".join(lines)


def _systems(rows: Sequence[Mapping[str, Json]]) -> Iterable[tuple[Any, ...]]:
    for system in sorted({row["system"] for row in rows}):
        mine = [row for row in rows if row["system"] == system]
        faulty = [row for row in mine if row["level"] != "normal"]
        distinct = (len({row[key] for row in faulty}) for key in ("scenario", "fault", "target"))
        size = sum(row["bytes"] for row in mine) / 1e6
        yield system, len(mine), *distinct, len(mine) - len(faulty), f"{size:,.1f}"


def _labels(data: Dataset) -> str:
    rows = data.rows
    lines = ["## Labels", ""]
    for name in ("level", "fault", "root_cause_service", "severity", "verdict", "usable", "split"):
        found = Counter(_word(row.get(name)) for row in rows)
        if set(found) != {"none"}:
            told = ", ".join(f"{value} {number}" for value, number in sorted(found.items()))
            lines.append(f"- `{name}`: {told}")
    in_code = sum(row.get("root_cause_code_function") is not None for row in rows)
    lines.append(f"- root cause down to a function of code: {in_code}")
    if not any(row.get("split") for row in rows):
        lines.append("- no split is told")
    return "\n".join(lines)


def _collection(data: Dataset, sheet: Sheet) -> str:
    rows = data.rows
    lines = ["## Collection", "", f"- recorded from {_moment(sheet.first_ns)} to {_moment(sheet.last_ns)}"]
    for name in ("runtime", "injector", "workload", "rate_rps"):
        found = Counter(_word(row.get(name)) for row in rows)
        lines.append(f"- `{name}`: " + ", ".join(f"{value} {number}" for value, number in sorted(found.items())))
    lines.append(f"- distinct seeds: {len({row['seed'] for row in rows})}")
    held = [row["held_ratio"] for row in rows if row.get("held_ratio") is not None]
    if held:
        lines.append(f"- share of the anomaly window in which the fault was seen to be in: at least {min(held):.2f}")
    lengths = (
        (f"`{phase}`", len(found), f"{min(found):.1f}", f"{statistics.median(found):.1f}", f"{max(found):.1f}")
        for phase, found in sheet.windows.items()
    )
    lines += ["", _table(("window", "cases", "shortest s", "median s", "longest s"), lengths)]
    lines += ["", "Versions (versions.json): " + ", ".join(f"{n} {' '.join(v)}" for n, v in sheet.versions.items())]
    return "\n".join(lines)


def _preprocessing(sheet: Sheet) -> str:
    counted = ((f"`{name}`", f"{sheet.dropped[name]:,}", f"{sheet.outside[name]:,}") for name in sheet.rows)
    return "\n".join(
        [
            "## Preprocessing",
            "",
            "Tokens, passwords and Authorization headers are replaced before anything is written. Records are not "
            "resampled, and none is left out but these:",
            "",
            _table(("table", "could not be taken", "outside of the timeline"), counted),
        ]
    )


def _quality(data: Dataset, problems: Sequence[Problem]) -> str:
    lines = ["## Errors and noise", ""]
    contaminated = sum(row["verdict"] == "contaminated" for row in data.rows)
    lines.append(f"- {contaminated} cases were disturbed by something else on the machine (verdict `contaminated`)")
    reasons = Counter(reason for row in data.rows for reason in (row.get("unusable_because") or ()))
    lines += [f"- not usable in {number} cases: {reason}" for reason, number in sorted(reasons.items())]
    if not problems:
        lines.append(
            "- `anomod validate` finds no problem: every file is whole, nothing gives the label away, no secret"
        )
    else:
        lines.append(f"- `anomod validate` finds {len(problems)} problems:")
        lines += [f"  - {problem.path}: {problem.what}" for problem in problems[:SHOWN_PROBLEMS]]
    return "\n".join(lines)


def _distribution(out: Path, packed: Mapping[str, str], samples: int) -> str:
    sizes = ((f"`{name}`", f"{(out / name).stat().st_size / 1e6:,.1f}") for name in packed.values())
    return "\n".join(
        [
            "## Distribution",
            "",
            _table(("archive", "MB"), sizes),
            "",
            f"`sample/` is a dataset of {samples} of the cases. SHA256SUMS has the checksum of every file "
            "(`sha256sum -c SHA256SUMS`); croissant.json describes tables and columns.",
            "Hugging Face's `datasets` and Croissant read `cases`, which has all, and the sample's tables "
            "(`sample_logs` ...) without unpacking.",
            "",
            "```python",
            "from pytest_anomod import load_dataset",
            "",
            'load_dataset("sample")  # to look at',
            'load_dataset(".")  # once the archives are unpacked here',
            "```",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _word(value: Json) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _moment(time_ns: int) -> str:
    return dt.datetime.fromtimestamp(time_ns // NS_PER_S, tz=dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _day(time_ns: int) -> str:
    return dt.datetime.fromtimestamp(time_ns // NS_PER_S, tz=dt.UTC).date().isoformat()
