"""Cases of AnoMod's published form: a folder a modality with a folder a case, whether Git LFS has fetched files or not.

Layout (EvoTestOps/AnoMod): SN_data/<modality>/<Case>_<stamp>_<kind>_<stamp>/, TT_data/<modality>/<case>/. Fetched files
are read; of a file that is only a pointer of Git LFS just size and digest are known.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.audit import anomod_tables
from pytest_anomod.audit.material import AuditCase, FileFacts, Material

if TYPE_CHECKING:
    import pandas as pd

SYSTEMS = {"SN_data": "social_network", "TT_data": "train_ticket"}
FOLDERS = {
    "log_data": "logs",
    "metric_data": "metrics",
    "trace_data": "traces",
    "api_responses": "api_responses",
    "coverage_data": "coverage",
    "coverage_report": "coverage_report",
}
LEVELS = {"perf": "performance", "svc": "service", "db": "database", "code": "code", "normal": "normal",
          "lv_p": "performance", "lv_s": "service", "lv_d": "database", "lv_c": "code"}  # fmt: skip
"""Levels by what names of cases begin with."""
_CASE = re.compile(r"(?P<name>[A-Za-z][A-Za-z_]*?)(?:[_-](?P<stamp>\d{8}[T_-]?\d{6})(?:[_-].*)?)?")
_STAMPS = re.compile(r"\d{4}-?\d{2}-?\d{2}[T_-]?\d{2}-?:?\d{2}-?:?\d{2}Z?|\d{4}-\d{2}-\d{2}")
_POINTER = re.compile(rb"version https://git-lfs\S*\noid sha256:([0-9a-f]{64})\nsize (\d+)")
_SUMMARY = re.compile(r"^- (\w+): [^(\n]*\((\d+)\s*(?:行|lines)", re.MULTILINE)
_UNCUT = re.compile(r"完整历史|full history|complete history|entire history|no limit", re.IGNORECASE)
LABELS = ("label*", "ground_truth*", "*/label*", "*/ground_truth*")


def fits(path: Path) -> bool:
    """Whether a directory has this layout: the data of a system, or folders of modalities."""
    return any(True for _ in _roots(path))


def read(path: Path) -> Material:
    """All cases below a directory."""
    has_label = any(any(path.glob(pattern)) for pattern in LABELS)
    cases = [case for root, system in _roots(path) for case in _cases(root, system, has_label)]
    return Material(path=path, form="AnoMod", cases=tuple(cases))


def _roots(path: Path) -> Iterator[tuple[Path, str]]:
    """Directories that hold folders of modalities, with the system they are of."""
    for candidate in (path, *(path / name for name in SYSTEMS)):
        if sum((candidate / name).is_dir() for name in FOLDERS) >= 2:
            yield candidate, SYSTEMS.get(candidate.name, candidate.name)


def _cases(root: Path, system: str, has_label: bool) -> Iterator[AuditCase]:
    folders: dict[str, dict[str, Path]] = {}
    stamps: dict[str, str] = {}
    for name, modality in FOLDERS.items():
        for entry in sorted((root / name).iterdir()) if (root / name).is_dir() else ():
            match = _CASE.fullmatch(entry.name)
            if entry.is_dir() and match:
                folders.setdefault(match["name"], {})[modality] = entry
                stamps.setdefault(match["name"], match["stamp"] or "")
    for name, mine in sorted(folders.items()):
        yield _case(name, stamps[name], system, mine, has_label)


def _case(name: str, stamp: str, system: str, folders: Mapping[str, Path], has_label: bool) -> AuditCase:
    texts = [path.read_text("utf-8", "replace") for path in sorted(folders.get("logs", Path("-")).glob("summary*.txt"))]
    lines = {service: int(count) for text in texts for service, count in _SUMMARY.findall(text)}
    level = next((level for word, level in LEVELS.items() if name.lower().startswith(word)), "")
    metrics = folders.get("metrics")
    return AuditCase(
        case_id=name,
        system=system,
        scenario=name,
        target=_target(name, lines) if level != "normal" else "",
        is_control=level == "normal",
        level=level,
        modalities=tuple(modality for modality in folders if modality in anomod_tables.READERS),
        read=functools.partial(_read, folders),
        facts=functools.partial(_facts, name, folders),
        lines=lines,
        started_ns=_ns(stamp),
        has_label=has_label,
        naive_times=("metrics",) if metrics and anomod_tables.has_naive_times(metrics) else (),
        uncut=("logs",) if any(map(_UNCUT.search, texts)) else (),
    )


def _read(folders: Mapping[str, Path], modality: str) -> pd.DataFrame | None:
    if modality not in folders or modality not in anomod_tables.READERS:
        return None
    files = [path for path in sorted(folders[modality].rglob("*")) if path.is_file() and not pointer(path)]
    return anomod_tables.READERS[modality](files)


def pointer(path: Path) -> FileFacts | None:
    """Size and digest in a pointer of Git LFS; None for a file that was fetched."""
    if path.stat().st_size > 200:
        return None
    match = _POINTER.match(path.read_bytes())
    return FileFacts(bytes=int(match[2]), digest=match[1].decode()) if match else None


def _facts(case: str, folders: Mapping[str, Path]) -> dict[str, FileFacts]:
    found = {}
    for modality, folder in folders.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                told = pointer(path)
                name = _STAMPS.sub("*", path.relative_to(folder).as_posix().replace(case, "*"))
                found[f"{modality}/{name}"] = told or FileFacts(
                    bytes=path.stat().st_size, digest=hashlib.sha256(path.read_bytes()).hexdigest()
                )
    return {name: facts for name, facts in found.items() if facts.bytes}


def _target(name: str, services: Mapping[str, int]) -> str:
    """The service that the last word of a case's name is in, as far as its summary names services."""
    word = name.rpartition("_")[2].lower()
    return next((service for service in services if word in service.lower()), "")


def _ns(stamp: str) -> int:
    """A stamp such as 20251103_220228, taken for UTC, in nanoseconds; 0 for none."""
    digits = re.sub(r"\D", "", stamp)
    if len(digits) != 14:
        return 0
    return int(dt.datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC).timestamp()) * 10**9
