"""The command `anomod judge`: runs the checks again on stored cases and says what changed; nothing is rewritten."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.errors import AnomodError, DatasetError
from pytest_anomod.model.verdict import Finding, Outcome, Verdict

if TYPE_CHECKING:
    from pytest_anomod.dataset.read_case import DatasetCase

WIDTH = 118
REFUSED = 2
"""Exit code when no verdict changed and some case could not be judged."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A stored case with its verdict then and now, and what was found, then and now."""

    case_id: str
    scenario: str
    before: str
    verdict: Verdict
    stored: tuple[Finding, ...]
    findings: tuple[Finding, ...]

    @property
    def changed(self) -> bool:
        """Whether the verdict is another one."""
        return self.before != str(self.verdict)

    def changes(self) -> Iterator[str]:
        """A line for each question whose outcome changed, with what was found then and now."""
        then, now = _by_question(self.stored), _by_question(self.findings)
        for question in dict.fromkeys([*then, *now]):
            old, new = then.get(question, []), now.get(question, [])
            if sorted(found.outcome for found in old) != sorted(found.outcome for found in new):
                yield f"{question} was {_said(old)}"
                yield f"{question} is now {_said(new)}"


def judge_case(case: DatasetCase) -> Judged:
    """Judge a stored case by the checks of today; DatasetError when they can't read what the case holds.

    A check that crashes on a case of another version says nothing of it, so there is no verdict then.
    """
    from pytest_anomod.checks import judge, run_checks
    from pytest_anomod.dataset.stored_view import stored_findings, stored_view

    view, stored = stored_view(case), stored_findings(case)
    findings = run_checks(view)
    crashed = [found for found in findings if found.outcome is Outcome.BROKEN and "traceback" in found.evidence]
    if crashed:
        written = case.label.versions.get("pytest-anomod", "an unknown version")
        msg = f"case {case.case_id}, of pytest-anomod {written}, can't be judged by this one: {crashed[0].message}"
        raise DatasetError(msg)
    return Judged(
        case_id=case.case_id,
        scenario=case.label.scenario,
        before=case.verdict,
        verdict=judge(view, findings),
        stored=stored,
        findings=findings,
    )


def cases_at(place: str | os.PathLike[str]) -> Iterator[DatasetCase]:
    """The case at a directory (or URL), or all of a dataset; DatasetError when it is neither."""
    from pytest_anomod.dataset import label_rows, layout
    from pytest_anomod.dataset.read import load_dataset
    from pytest_anomod.dataset.read_case import DatasetCase

    path = layout.place(place)
    if layout.is_complete(path):
        yield DatasetCase(directory=path, label=label_rows.row_label(label_rows.read_label_row(path)))
    elif path.name.startswith("case="):
        msg = f"{path} is no complete case: it has no {layout.CASE_FILE}; name another"
        raise DatasetError(msg)
    else:
        yield from load_dataset(path, superseded=True)


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `anomod`."""
    parser = commands.add_parser("judge", help="run the checks again on stored cases; exit 1 when a verdict changed")
    parser.add_argument("path", nargs="+", metavar="CASE", help="directory of a case, or of a dataset; a URL too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Judge and print; 1 when a verdict changed, 2 when none did and some case could not be judged."""
    judged: list[Judged] = []
    refused = 0
    for case in _all(arguments.path):
        try:
            one = judge_case(case)
        except AnomodError as error:
            refused += 1
            sys.stdout.write(f"{case.case_id}  {case.label.scenario}: {case.verdict}, not judged again\n    {error}\n")
            continue
        judged.append(one)
        sys.stdout.write("\n".join(lines_of(one)) + "\n")
    changed = sum(one.changed for one in judged)
    others = f", {refused} could not be judged" if refused else ""
    sys.stdout.write(f"{len(judged)} cases judged again, {changed} with another verdict{others}\n")
    return 1 if changed else REFUSED if refused else 0


def lines_of(judged: Judged) -> list[str]:
    """What is printed of a case: its verdict, and what changed."""
    verdict = f"was {judged.before}, now {judged.verdict}" if judged.changed else f"{judged.verdict}, as stored"
    told = (
        textwrap.wrap(line, WIDTH, initial_indent="    ", subsequent_indent=" " * 8, break_on_hyphens=False)
        for line in judged.changes()
    )
    return [f"{judged.case_id}  {judged.scenario}: {verdict}", *itertools.chain.from_iterable(told)]


def _all(paths: Sequence[str]) -> Iterator[DatasetCase]:
    for path in paths:
        yield from cases_at(path)


def _by_question(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.question, []).append(finding)
    return found


def _said(findings: Sequence[Finding]) -> str:
    return "; ".join(f"{found.outcome}: {found.message}" for found in findings) or "not asked"
