"""The subcommand `anomod agents`: fetch what runs inside other people's services, list it, verify it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import Language, language, offered

Say = Callable[[str], None]


def add_to(commands: Any, say: Say) -> None:
    """Add the subcommand to those of the `anomod` command."""
    agents = commands.add_parser(
        "agents", help="what is put into services for traces, coverage and faults in code: fetch, list, verify"
    )
    agents.add_argument("action", choices=("fetch", "list", "verify"), help="download what is missing; or look at it")
    agents.add_argument("languages", nargs="*", metavar="LANGUAGE", help=f"of {', '.join(offered())} (default: all)")
    agents.add_argument("--offline", type=Path, metavar="DIR", help="copy from the cache of another machine instead")
    agents.add_argument("--files", action="store_true", help="with list: each file's version, hash and licence")
    agents.set_defaults(run=lambda arguments: run(arguments, say))


def run(arguments: argparse.Namespace, say: Say) -> int:
    """Do it and say what was done; exit code 1 when something that was looked for is missing or not as fetched."""
    asked = [language(name) for name in arguments.languages or offered()]
    if arguments.action == "fetch":
        for one in asked:
            say(f"{one.name}: {_fetched(one, arguments.offline)}")
        return 0
    if arguments.action == "list":
        for line in _listed(asked, files=arguments.files):
            say(line)
        return 0
    wrong = {one.name: cache.problems(one) for one in asked if one.artefacts}
    for name, found in wrong.items():
        say(f"{name}: {'as it was fetched' if not found else f'{len(found)} problems'}")
        for line in found[:20]:
            say(f"  {line}")
    return 1 if any(wrong.values()) else 0


def _fetched(one: Language, offline: Path | None) -> str:
    if not one.artefacts:
        return "needs nothing but what comes with pytest-anomod"
    was_there = cache.ready(one) is not None
    place = cache.fetch(one, offline)
    return f"{place} {'was there' if was_there else 'fetched'}"


def _listed(asked: Sequence[Language], *, files: bool) -> Iterator[str]:
    for one in asked:
        place = cache.ready(one)
        licences = ", ".join(sorted({artefact.licence for artefact in one.artefacts})) or "ours alone"
        gives = ", ".join(sorted(one.gives))
        yield f"{one.name:8} {gives:26} {place or 'not fetched'} ({len(one.artefacts)} files; {licences})"
        for artefact in one.artefacts if files else ():
            pinned = f"{artefact.name} {artefact.version}"
            yield f"  {pinned:58} {artefact.origin:6} {artefact.sha256[:16]} {artefact.licence}"
