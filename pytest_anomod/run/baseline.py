"""Reads and writes the baseline: a checked-in file of the verdicts that a team accepts today."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.verdict import Verdict

FORMAT = 1
HELD = (Verdict.EFFECTIVE, Verdict.TOLERATED, Verdict.SILENT, Verdict.INEFFECTIVE, Verdict.NORMAL)
"""What a baseline may hold. After contaminated and broken nothing is known, so nothing can be compared with them."""

UPDATE = "--anomod-baseline-update"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """The verdict that a test has today, and why the team accepts it, for people to read."""

    verdict: str
    why: str = ""


Baseline = Mapping[str, Entry]
"""Entries by node id, without the part that --anomod-repeat adds."""


def read_baseline(path: Path, *, update: bool) -> dict[str, Entry]:
    """The entries of a file; one that is to be written may be missing. ScenarioError names the key and what to do."""
    if update and not path.exists():
        if not path.parent.is_dir():
            msg = f"there is no directory {path.parent} to write it to; make it first"
            raise ScenarioError(msg)
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except FileNotFoundError:
        msg = f"there is no such file; {UPDATE} writes it"
        raise ScenarioError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"can't be read: {error}; name a JSON file"
        raise ScenarioError(msg) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        msg = f"{where}: not JSON ({error.msg}); mend it, or remove the file and run {UPDATE}"
        raise ScenarioError(msg) from None
    return {key: _entry(key, value) for key, value in _verdicts(document).items()}


def _verdicts(document: Any) -> dict[str, Any]:
    """What the file holds, once its outer keys are known to be right."""
    if not isinstance(document, dict):
        msg = f'must be an object {{"format": {FORMAT}, "verdicts": {{...}}}}, not {type(document).__name__}'
        raise ScenarioError(msg)
    if unknown := sorted(document.keys() - {"format", "verdicts"}):
        msg = f"key {unknown[0]!r} is none of 'format', 'verdicts'; remove it"
        raise ScenarioError(msg)
    if document.get("format") != FORMAT:
        msg = f"key 'format' is {document.get('format')!r}, not {FORMAT}; remove the file and run {UPDATE}"
        raise ScenarioError(msg)
    verdicts = document.get("verdicts")
    if not isinstance(verdicts, dict):
        msg = f"key 'verdicts' must be an object of node ids and verdicts; remove the file and run {UPDATE}"
        raise ScenarioError(msg)
    return verdicts


def _entry(key: str, value: Any) -> Entry:
    """An entry from "verdict" or {"verdict": ..., "why": ...}."""
    given = value if isinstance(value, dict) else {"verdict": value}
    if unknown := sorted(given.keys() - {"verdict", "why"}):
        msg = f"key {key!r}: {unknown[0]!r} is none of 'verdict', 'why'; remove it"
        raise ScenarioError(msg)
    verdict, why = given.get("verdict"), given.get("why", "")
    if verdict not in list(HELD):
        near = difflib.get_close_matches(str(verdict), HELD, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it must be one of {', '.join(HELD)}"
        msg = f"key {key!r}: {verdict!r} is no verdict that a baseline can hold; {hint}"
        raise ScenarioError(msg)
    if not isinstance(why, str):
        msg = f"key {key!r}: 'why' must be text, not {why!r}"
        raise ScenarioError(msg)
    return Entry(str(verdict), why)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without a key that stands there twice, as it does after a careless merge."""
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            msg = f"key {key!r} stands there {count} times; leave one of them"
            raise ScenarioError(msg)
    return dict(pairs)


def updated(old: Baseline, seen: Iterable[tuple[str, str]], gone: Iterable[str]) -> tuple[dict[str, Entry], list[str]]:
    """The entries after a run that saw these verdicts, and a sentence on each test that could not be written.

    Tests that did not run keep their entry, and a reason stays while its verdict does.
    """
    entries = {key: entry for key, entry in old.items() if key not in set(gone)}
    said = []
    verdicts: dict[str, set[str]] = {}
    for key, verdict in seen:
        verdicts.setdefault(key, set()).add(verdict)
    for key, found in verdicts.items():
        if len(found) > 1:
            said.append(f"{key} had several verdicts in this run: {', '.join(sorted(found))}")
        elif not found <= set(HELD):
            said.append(f"{key} was {min(found)}, which says nothing of the system")
        elif entries.get(key, Entry("")).verdict not in found:
            entries[key] = Entry(min(found))
    return entries, said


def write_baseline(path: Path, entries: Baseline) -> None:
    """Write the file, a line a test in the order of their ids, so that changes read well; OSError if it can't be."""
    verdicts = {
        key: {"verdict": entry.verdict, "why": entry.why} if entry.why else entry.verdict
        for key, entry in sorted(entries.items())
    }
    lines = ",\n".join(
        f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in verdicts.items()
    )
    text = f'{{\n "format": {FORMAT},\n "verdicts": {{\n{lines}\n }}\n}}\n'
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def lost_keys(
    keys: Iterable[str], known: Collection[str], files: Collection[str], args: Sequence[str], root: Path
) -> list[str]:
    """Keys whose test does not exist any more, as far as a run can tell that collected these files with these tests.

    A file that was not collected, or of which only single tests were selected, is left out.
    """
    single = {os.path.basename(arg.partition("::")[0]) for arg in args if "::" in arg}
    lost = []
    for key in keys:
        file = key.partition("::")[0]
        looked_at = file in files and os.path.basename(file) not in single
        if (looked_at and key not in known) or not (root / file).exists():
            lost.append(key)
    return lost
