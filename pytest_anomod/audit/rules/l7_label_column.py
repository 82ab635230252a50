"""L7: a column that is a label: a value of it comes at the root cause while a fault is in, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_anomod.audit.finding import Finding, Rule, Severity, note
from pytest_anomod.audit.material import LABELLED, Material
from pytest_anomod.dataset import blind
from pytest_anomod.dataset.validate_telemetry import OURS
from pytest_anomod.model.errors import DatasetError

MOST_VALUES = 12
SHARE = 0.5
"""Least share of the root cause's rows in labelled windows that a telling value has."""
COMMON = {*blind.COMMON, *OURS}


def find(material: Material) -> Iterator[Finding]:
    """Columns with such a value, beside those of telemetry itself, in which an anomaly shows."""
    withheld: set[str] = set()
    for modality in dict.fromkeys(name for case in material.cases for name in case.modalities):
        columns = _suspects(material, modality)
        readable = _readable(modality)
        for column in columns:
            for value, cases in _telling(material, modality, column).items():
                if column not in readable:
                    withheld.add(f"{modality}.{column}")
                    continue
                yield Finding(
                    severity=Severity.LEAK, cases=tuple(cases),
                    what=f"{modality}.{column} is a label: {value} at the root cause while the fault is in, in "
                    f"{len(cases)} cases, and nowhere else",
                    todo="leave the column out, or keep it from whoever is to find the anomaly",
                    figures={"column": f"{modality}.{column}", "value": str(value)},
                )  # fmt: skip
    if withheld:
        yield note(
            f"{', '.join(sorted(withheld))}: a label as a column; readers of Evidence and of load_dataset(blind=True) "
            "don't get it, readers of the files do"
        )


def _suspects(material: Material, modality: str) -> list[str]:
    """Columns of few values that are not telemetry of the five modalities."""
    known = blind.COLUMNS.get(modality, ())
    names: dict[str, None] = {}
    for case in material.cases:
        frame = case.table(modality)
        for column in frame.columns if frame is not None else ():
            if column not in COMMON and column not in known:
                names[column] = None
    return list(names)


def _telling(material: Material, modality: str, column: str) -> dict[object, list[str]]:
    """Values that only the root cause has, only while its fault is in, with the cases."""
    inside: dict[object, list[str]] = {}
    outside: set[object] = set()
    for case in material.cases:
        frame = case.table(modality)
        if frame is None or column not in frame or frame[column].nunique() > MOST_VALUES:
            continue
        at_cause = case.within(frame, *LABELLED) & (frame["service_name"] == case.target) & (not case.is_control)
        outside |= set(frame[column][~at_cause].dropna().unique())
        shares = frame[column][at_cause].value_counts(normalize=True, dropna=True)
        for value, share in shares.items():
            if share >= SHARE:
                inside.setdefault(value, []).append(case.case_id)
    return {value: cases for value, cases in inside.items() if value not in outside}


def _readable(modality: str) -> tuple[str, ...]:
    """The columns that a method is given; of an unknown modality all of them."""
    try:
        return blind.columns_of(modality)
    except DatasetError:
        return _All()


class _All(tuple[str, ...]):
    def __contains__(self, _: object) -> bool:
        return True


RULE = Rule(name="L7-label-column", looks_for="columns that are a label", find=find)
