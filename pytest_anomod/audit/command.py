"""The command `anomod audit`: its options, its tables in the terminal, its JSON."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_anomod.audit.audit import Audited
    from pytest_anomod.audit.finding import Finding

WIDTH = 118
TOLD = 3
"""So many case ids are printed; --json has all."""


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `anomod`."""
    parser = commands.add_parser("audit", help="find what gives the label away, and what is wrong; exit 1 if anything")
    parser.add_argument("path", help="root of a dataset of ours, or of AnoMod's published form, a URL too")
    parser.add_argument("--rule", action="append", default=[], metavar="NAME", help="ask only this (may be repeated)")
    parser.add_argument("--json", action="store_true", help="print all findings, with their figures, as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Audit and print; 1 when anything but notes was found."""
    from pytest_anomod.audit.audit import audit

    audited = audit(arguments.path, only=arguments.rule, say=_progress)
    sys.stdout.write((_json(audited) if arguments.json else render(audited)) + "\n")
    return 1 if audited.findings else 0


def _progress(name: str) -> None:
    """Say on a terminal which rule is asked: large datasets take minutes."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\rasking {name:30}\r")
        sys.stderr.flush()


def render(audited: Audited) -> str:
    """A table of rules, the findings one by one, and what the rules came to where they found nothing."""
    from pytest_anomod.audit.rules import all_rules
    from pytest_anomod.dataset.stats import text_table

    rows = []
    for rule in all_rules():
        if rule.name in audited.found:
            severities = [str(finding.severity) for finding in audited.found[rule.name]]
            counts = {name: severities.count(name) for name in ("leak", "defect", "note")}
            rows.append(
                {
                    "rule": rule.name,
                    **{f"{name}s": count for name, count in counts.items()},
                    "looks for": rule.looks_for,
                }
            )
    head = f"{audited.path}: {audited.cases} cases, {audited.controls} of them controls, in the form of {audited.form}"
    table = text_table(("rule", "leaks", "defects", "notes", "looks for"), rows)
    notes = [finding for found in audited.found.values() for finding in found if finding not in audited.findings]
    parts = [head, table, *map(_told, audited.findings)]
    if notes:
        parts.append(
            "\n".join(["notes", *(line for finding in notes for line in _wrapped(f"{finding.rule}: {finding.what}"))])
        )
    count = len(audited.findings)
    parts.append(f"{count} findings" if count else "nothing found")
    return "\n\n".join(parts)


def _told(finding: Finding) -> str:
    where = ", ".join(finding.cases[:TOLD]) + (
        f" and {len(finding.cases) - TOLD} more" if len(finding.cases) > TOLD else ""
    )
    head = "  ".join(filter(None, [f"{finding.severity} {finding.rule}", where, finding.service]))
    return "\n".join([head, *_wrapped(finding.what), *_wrapped(f"-> {finding.todo}")])


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)


def _json(audited: Audited) -> str:
    from pytest_anomod.dataset.files import plain

    findings: Sequence[Finding] = [finding for found in audited.found.values() for finding in found]
    document = {
        "path": str(audited.path),
        "form": audited.form,
        "cases": audited.cases,
        "controls": audited.controls,
        "rules": list(audited.found),
        "findings": [plain(finding) for finding in findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
