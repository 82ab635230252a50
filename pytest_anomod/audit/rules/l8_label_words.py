"""L8: words of the label in what is observed: phases, verdicts, the scenario's name, a chaos tool's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import AuditCase, Material
from pytest_anomod.dataset import blind, leaks
from pytest_anomod.dataset.validate_telemetry import OURS
from pytest_anomod.model.errors import DatasetError
from pytest_anomod.model.timeline import Phase

PHASES = frozenset(map(str, Phase))
LEAST_PHASES = 2
"""A column with so many different words of phases among its values says where the fault is."""
FIELD = re.compile(r"\"(?:phase|phase_end|is_anomalous|anomalous|root_cause\w*|ground_truth|verdict)\"\s*:")
MOST_VALUES = 50


def find(material: Material) -> Iterator[Finding]:
    """Words of the label in columns that a method is given."""
    withheld: set[str] = set()
    for case in material.cases:
        words = leaks.telling_words(case.scenario)
        for modality in case.modalities:
            frame = case.table(modality)
            for column in frame.columns if frame is not None else ():
                if frame is None or frame[column].dtype.kind not in "OTU":
                    continue
                distinct = [text for text in frame[column].dropna().unique() if isinstance(text, str)]
                found = _words(distinct, words)
                if not found:
                    continue
                if column in OURS or not _readable(modality, column):
                    withheld.add(f"{modality}.{column}")
                    continue
                yield _told(case, f"{modality}.{column}", found)
    if withheld:
        yield note(
            f"{', '.join(sorted(withheld))} have words of the label; readers of Evidence and of "
            "load_dataset(blind=True) don't get them, readers of the files do"
        )


def _words(distinct: list[str], words: tuple[str, ...]) -> dict[str, int]:
    """Telling words with the number of different texts that have them."""
    found: dict[str, int] = {}
    phases = PHASES & set(distinct)
    if len(phases) >= LEAST_PHASES and len(distinct) <= MOST_VALUES:
        found.update(dict.fromkeys(sorted(phases), 1))
    hint = re.compile("|".join([leaks.LEAK_HINT, FIELD.pattern, *(re.escape(word) for word in words)]))
    for text in filter(hint.search, distinct):
        for word in [*leaks.find_leaks(text, words), *FIELD.findall(text)]:
            found[word.lower()] = found.get(word.lower(), 0) + 1
    return found


def _told(case: AuditCase, where: str, found: dict[str, int]) -> Finding:
    said = ", ".join(f"{word!r} in {count} texts" for word, count in sorted(found.items())[:5])
    return Finding(
        severity=Severity.LEAK, cases=(case.case_id,), what=f"{where} has words of the label: {said}",
        todo="find what writes them and rename it; `anomod validate` says the rows", figures={"words": found},
    )  # fmt: skip


def _readable(modality: str, column: str) -> bool:
    try:
        return column in blind.columns_of(modality)
    except DatasetError:
        return True


RULE = Rule(name="L8-label-words", looks_for="words of the label in telemetry", find=find)
