"""Sets aside cases of a scenario that two machines played with the same seed.

That happens when a machine was given up, and went on working all the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pytest_anomod.dataset import files, layout
from pytest_anomod.model.verdict import Verdict

AGAIN = (Verdict.CONTAMINATED, Verdict.BROKEN)
"""Verdicts of cases that are worth another try: one of the same seed beside them is no double."""


class _Known(NamedTuple):
    directory: Path
    completed_ns: int
    case_id: str
    replaces: str | None


def set_aside(root: Path) -> list[Path]:
    """Leave one case of each scenario and seed, the first that was completed; the directories that are no case now.

    They keep all their files but case.json, and say in incomplete.json which one counts. What a double replaced, an
    earlier attempt, goes with it.
    """
    by_key: dict[tuple[str, str, int], list[_Known]] = {}
    earlier: dict[str, _Known] = {}
    for directory in layout.case_directories(root):
        if not layout.is_complete(directory):
            continue
        manifest, scenario = layout.read_manifest(directory), layout.read_json(directory / layout.SCENARIO_FILE)
        known = _Known(directory, manifest.get("completed_unix_nano") or 0, manifest["case_id"], _replaces(directory))
        if manifest["verdict"] in AGAIN:
            earlier[known.case_id] = known
        elif "seed" in scenario:
            by_key.setdefault((manifest["system"], manifest["scenario"], scenario["seed"]), []).append(known)
    gone = []
    for several in by_key.values():
        first, *others = sorted(several, key=lambda one: (one.completed_ns, one.case_id))
        for double in others:
            reason = f"a double: {first.directory.relative_to(root).as_posix()} has the same scenario and seed"
            chain: _Known | None = double
            while chain is not None:
                _no_case(chain, reason)
                gone.append(chain.directory)
                chain = earlier.get(chain.replaces or "")
    return gone


def _replaces(directory: Path) -> str | None:
    from pytest_anomod.dataset import label_rows

    return label_rows.read_label_row(directory).get("replaces")


def _no_case(known: _Known, reason: str) -> None:
    head = known.directory / layout.CASE_FILE
    manifest = layout.read_json(head)
    told = {key: manifest[key] for key in ("format_version", "case_id", "system", "scenario")}
    files.write_json(known.directory / layout.INCOMPLETE_FILE, {**told, "reason": reason})
    head.unlink()
