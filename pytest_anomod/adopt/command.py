"""The subcommand `anomod adopt WHAT`: a compose file, a Procfile or a URL becomes Python to check in."""

from __future__ import annotations

import argparse
import dataclasses
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_anomod.adopt import render
from pytest_anomod.adopt.found import Answer, FoundSystem
from pytest_anomod.model.errors import ScenarioError

LEFT_TO_ANSWER = 3
"""Exit code when something could not be found: it is marked in what was written."""
DEFINITION, MODULE, TESTS = "conftest.py", "anomod_system.py", "test_chaos.py"
Say = Callable[[str], None]


def add_to(commands: Any, say: Say) -> None:
    """Add the subcommand to those of the `anomod` command."""
    adopt = commands.add_parser("adopt", help="look at your own system once and write its definition as Python")
    adopt.add_argument("what", nargs="+", help="compose files, a Procfile, or the URL of a system that runs already")
    adopt.add_argument("--name", default="", help="name of the system (default: the directory's)")
    adopt.add_argument("--entry", default="", metavar="SERVICE", help="the service that users reach")
    adopt.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to write to (default: here)")
    adopt.add_argument("--force", action="store_true", help="write over what is there")
    adopt.set_defaults(run=lambda arguments: adopt_system(arguments, say))


def adopt_system(arguments: argparse.Namespace, say: Say) -> int:
    """Look at the system, write the files, print what was found; exit code 0, or 3 when questions are left."""
    out = arguments.out.resolve()
    paths = _targets(out, force=arguments.force)
    found = _look(arguments, out, say)
    command = f"anomod adopt {' '.join(arguments.what)}"
    texts = {paths[0]: render.definition(found, command), paths[1]: render.first_test(found)}
    out.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    _tell(found, paths, say)
    return LEFT_TO_ANSWER if render.questions_of(found) else 0


def _look(arguments: argparse.Namespace, out: Path, say: Say) -> FoundSystem:
    first = arguments.what[0]
    if first.startswith(("http://", "https://")):
        from pytest_anomod.adopt.url import look_at_url

        return look_at_url(first, name=arguments.name or "running", entry=arguments.entry)
    files = [Path(what).resolve() for what in arguments.what]
    for file in files:
        if not file.is_file():
            msg = f"{file} is no file; give a compose file, a Procfile, or a URL that begins with http://"
            raise ScenarioError(msg)
    found = _try_files(files, arguments.name, arguments.entry, out, say)
    places = [f'"{os.path.relpath(file, out)}"' for file in files]
    return dataclasses.replace(found, arguments=tuple(Answer(value=place, why="") for place in places))


def _try_files(files: list[Path], name: str, entry: str, out: Path, say: Say) -> FoundSystem:
    """Look at compose files or a Procfile, in a separate session: nothing of the trial is left."""
    from pytest_anomod.safety import sessions

    session = sessions.new_session(out, f"adopt-{uuid.uuid4().hex[:6]}", "main")
    try:
        if files[0].suffix in (".yaml", ".yml", ".json"):
            from pytest_anomod.adopt.compose import look_at_compose

            return look_at_compose(files, name=name, entry=entry, session=session, say=say)
        from pytest_anomod.adopt.procfile import look_at_procfile

        if len(files) > 1:
            msg = f"{files[1]}: a system has one Procfile"
            raise ScenarioError(msg)
        usual = name or files[0].parent.name
        return look_at_procfile(files[0], name=usual, entry=entry, session=session, say=say)
    finally:
        for line in sessions.end_session(session):
            say(line)


def _targets(out: Path, *, force: bool) -> tuple[Path, Path]:
    """The files to write; an existing conftest.py is kept. ScenarioError for other files that exist already."""
    definition = out / DEFINITION
    if definition.exists() and not force:
        definition = out / MODULE
    for path in (definition, out / TESTS):
        if path.exists() and not force:
            msg = f"{path} is there already; move it, give another --out, or write over it with --force"
            raise ScenarioError(msg)
    return definition, out / TESTS


def _tell(found: FoundSystem, paths: tuple[Path, Path], say: Say) -> None:
    """Print a table of what was found, and what to do next."""
    for service in found.services:
        port = "no port" if service.port is None else service.port.value or "the port it is told"
        calls = ", ".join(service.calls) or "nobody"
        say(f"{service.name:16} {service.engine.value or '?':12} {port:20} calls {calls}")
    say(f"entry: {found.entry.value if found.entry else '?'}; journeys: {', '.join(j.value for j in found.journeys)}")
    say(f"wrote {paths[0]} and {paths[1]}")
    if paths[0].name == MODULE:
        say(f"add to {paths[0].with_name(DEFINITION)}: import anomod_system")
    questions = render.questions_of(found)
    for question in questions:
        say(f"left to you: {question}")
    if not questions:
        say(f"next: pytest {paths[1].name}")
