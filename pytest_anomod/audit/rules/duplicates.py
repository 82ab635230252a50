"""Files, or contents of tables, that are the same in several cases: what was recorded is never the same twice."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_anomod.audit.finding import Finding, Rule, Severity
from pytest_anomod.audit.material import AuditCase, FileFacts, Material

LARGE = 1_000
"""Bytes (rows, of a table) from which on equal sizes in all cases are no accident."""
LEAST_CASES = 3
MOST_TOLD = 3
"""More files of one folder are told together."""


def find(material: Material) -> Iterator[Finding]:
    """Same digests in two cases or more; of what differs, same sizes in every case."""
    for system, cases in material.systems.items():
        by_name: dict[str, list[tuple[AuditCase, FileFacts]]] = {}
        for case in cases:
            for name, facts in case.facts().items():
                by_name.setdefault(name, []).append((case, facts))
        found: dict[str, list[Finding]] = {}
        for name, having in by_name.items():
            found.setdefault(name.partition("/")[0], []).extend(_same(system, name, having))
        for folder, mine in found.items():
            if len(mine) > MOST_TOLD:
                yield _together(system, folder, mine, sum(name.startswith(f"{folder}/") for name in by_name))
            else:
                yield from mine


def _together(system: str, folder: str, mine: list[Finding], files: int) -> Finding:
    """Many files of one folder as one finding."""
    cases = tuple(dict.fromkeys(case for finding in mine for case in finding.cases))
    return Finding(
        severity=Severity.DEFECT, cases=cases, todo=mine[0].todo,
        what=f"{system}: {len(mine)} of {files} files of {folder} are the same in several cases, such as: "
        f"{mine[0].what.partition(': ')[2]}",
        figures={"same": len(mine), "files": files},
    )  # fmt: skip


def _same(system: str, name: str, having: list[tuple[AuditCase, FileFacts]]) -> Iterator[Finding]:
    digests: dict[str, list[AuditCase]] = {}
    for case, facts in having:
        digests.setdefault(facts.digest, []).append(case)
    same = max(digests.values(), key=len)
    sizes = {facts.bytes for _, facts in having}
    todo = "look whether the collector ran in each case, and read what it was meant to read"
    if len(same) > 1:
        yield Finding(
            severity=Severity.DEFECT, cases=tuple(case.case_id for case in same),
            what=f"{system}: {name} is the same in {len(same)} of {len(having)} cases", todo=todo,
            figures={"same": len(same), "of": len(having), "name": name},
        )  # fmt: skip
    elif len(sizes) == 1 and len(having) >= LEAST_CASES and min(sizes) >= LARGE:
        yield Finding(
            severity=Severity.DEFECT, cases=tuple(case.case_id for case, _ in having),
            what=f"{system}: {name} has the same size, {min(sizes):,}, in {len(having)} of {len(having)} cases",
            todo=todo, figures={"size": min(sizes), "of": len(having), "name": name},
        )  # fmt: skip


RULE = Rule(name="duplicates", looks_for="contents that are the same in several cases", find=find)
