"""Reads Procfiles, and the .env beside them, as foreman and honcho do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from pytest_anomod.model.errors import ScenarioError

_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(\S.*)$")
_ASSIGNED = re.compile(r"""^([A-Za-z_][A-Za-z0-9_]*)=((?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")*)\s+(?=\S)""")
_VARIABLE = re.compile(r"""^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$""")
_SHELL = re.compile(r"[$`|&;<>()*?\[\]~#!\n]")
"""What a shell makes something of: such a line is left to one."""


def read(path: Path) -> dict[str, str]:
    """Command lines by service, in order; comments and blank lines are left out. ScenarioError for a line that is none.

    A name that comes twice is an error: one line would be lost.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"Procfile {path} can't be read: {getattr(error, 'strerror', None) or error}"
        raise ScenarioError(msg) from error
    lines: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            msg = f"{path}:{number}: {line[:60]!r} is not of the form `name: command`"
            raise ScenarioError(msg)
        if match[1] in lines:
            msg = f"{path}:{number}: service {match[1]!r} comes twice"
            raise ScenarioError(msg)
        lines[match[1]] = match[2]
    return lines


def words(line: str, given: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The words of a command line and its leading VAR=value; one word alone is a line that needs a shell.

    What is in `given` wins over what the line assigns, so that a port written into a line can be replaced.
    """
    before, rest = _parted(line)
    kept = [(name, value) for name, value in before if name not in given]
    assigned = {}
    needs_shell = bool(_SHELL.search(rest)) or any(_SHELL.search(value) for _, value in kept)
    if needs_shell:
        # such a value may be made of other variables, by the shell alone
        return (" ".join([*(f"{name}={value}" for name, value in kept), rest]),), {}
    try:
        for name, value in kept:
            assigned[name] = "".join(shlex.split(value))
        found = tuple(shlex.split(rest))
    except ValueError as error:
        msg = f"command line {line!r} can't be read: {error}"
        raise ScenarioError(msg) from error
    if len(found) > 1 and found[0] == "exec":  # usual in lines that a shell reads
        found = found[1:]
    return (found if len(found) > 1 else (rest,)), assigned


def assigned(line: str) -> dict[str, str]:
    """The variables that a line begins with, as they are written there, without quotes."""
    return {name: value.strip("'\"") for name, value in _parted(line)[0]}


def _parted(line: str) -> tuple[list[tuple[str, str]], str]:
    """The VAR=value that a line begins with, and the rest of it."""
    found = []
    while match := _ASSIGNED.match(line):
        found.append((match[1], match[2]))
        line = line[match.end() :]
    return found, line


def read_env(path: Path) -> dict[str, str]:
    """The variables of a .env file: NAME=value lines, `export` and quotes allowed; nothing when there is no file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        match = _VARIABLE.match(line.strip())
        if match is not None:
            value = match[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found[match[1]] = value[1:-1] if quoted else value
    return found
