"""Writes the scenarios of a foreign file as a test file: six lines each, formatted as `ruff format` would."""

from __future__ import annotations

import dataclasses
import keyword
import re
import textwrap
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_anomod.model.remark import Says

if TYPE_CHECKING:
    from pytest_anomod.importers.found import Experiment, Planned
    from pytest_anomod.importers.reading import FoundFile
    from pytest_anomod.model.fault import Fault

_WIDTH = 120
_INDENT = "    "


def test_file(found: FoundFile, system: str, original: str) -> str:
    """The text of the test file; `original` is what the file is called beside it. Nothing planned gives ""."""
    planned = [one for experiment in found.experiments for one in experiment.planned]
    if not planned:
        return ""
    faults = sorted({type(one.fault).__name__ for one in planned})
    head = [
        f'"""Scenarios that `anomod import` made of {original} ({", ".join(found.formats)}), which is kept beside."""',
        "",
    ]
    if any(one.skip for one in planned):
        head += ["import pytest"]
    head += ["from pytest_anomod import anomaly", _import(faults)]
    names: set[str] = set()
    body = [line for experiment in found.experiments for line in _tests(experiment, system, original, names)]
    return "\n".join([*head, *body, ""])


def _import(faults: list[str]) -> str:
    line = f"from pytest_anomod.faults import {', '.join(faults)}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join(["from pytest_anomod.faults import (", *(f"{_INDENT}{name}," for name in faults), ")"])


def _tests(experiment: Experiment, system: str, original: str, names: set[str]) -> Iterator[str]:
    for one in experiment.planned:
        name = _unique(_name(experiment, one), names)
        yield from ("", "")
        yield f"# {original}:{experiment.line}"
        for remark in experiment.remarks:
            if remark.says is not Says.DOES:
                words = "left out: " if remark.says is Says.REFUSED else ""
                yield from textwrap.wrap(
                    f"{remark.key}: {words}{remark.why}",
                    _WIDTH,
                    initial_indent="# ",
                    subsequent_indent="#   ",
                    break_on_hyphens=False,
                )
        if one.skip:
            yield f"@pytest.mark.skip(reason={quoted(one.skip)})"
        arguments = [f"system={quoted(system)}", f"fault={call(one.fault, one.said)}", f"target={quoted(one.target)}"]
        if one.expects:
            arguments.append(f"expects={quoted(one.expects)}")
        if one.runtime:
            arguments.append(f"runtime={quoted(one.runtime)}")
        yield from _decorator(arguments)
        yield f"def test_{name}(case):"
        yield f'{_INDENT}"""{_sentence(experiment.title)}"""'
        yield f"{_INDENT}case.run()"


def _decorator(arguments: list[str]) -> Iterator[str]:
    line = f"@anomaly({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        yield line
        return
    yield "@anomaly("
    for argument in arguments:
        yield from _exploded(argument, _INDENT)
    yield ")"


def _exploded(argument: str, indent: str) -> Iterator[str]:
    """An argument on a line of its own; one that is too long has its own arguments on lines of their own."""
    if len(indent) + len(argument) + 1 <= _WIDTH or "(" not in argument:
        yield f"{indent}{argument},"
        return
    head, _, rest = argument.partition("(")
    yield f"{indent}{head}("
    for part in _split(rest[:-1]):
        yield f"{indent}{_INDENT}{part},"
    yield f"{indent}),"


def _split(arguments: str) -> list[str]:
    """Arguments of a call: at commas that are in no brackets and no text."""
    parts, depth, quote, begin = [], 0, "", 0
    for position, sign in enumerate(arguments):
        if quote:
            quote = "" if sign == quote and arguments[position - 1] != "\\" else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == "," and not depth:
            parts.append(arguments[begin:position].strip())
            begin = position + 1
    return [part for part in [*parts, arguments[begin:].strip()] if part]


def call(fault: Fault, said: Container[str] = ()) -> str:
    """The call that makes a fault, with the parameters that were said or are not its own defaults."""
    parameters = (f"{key}={_literal(value)}" for key, value in _parameters(fault, said).items())
    return f"{type(fault).__name__}({', '.join(parameters)})"


def _parameters(fault: Fault, said: Container[str]) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(fault):  # type: ignore[arg-type]
        value = getattr(fault, field.name)
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        if value != default or field.name in said:
            found[field.name] = value
    return found


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(_literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def quoted(text: str) -> str:
    """A string literal as formatters write it: in double quotes, unless that needs more backslashes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain.startswith("'") and '"' not in text else plain


def _name(experiment: Experiment, one: Planned) -> str:
    """By the experiment, and where it has several by what makes them differ."""
    words = [experiment.name]
    if len({other.target for other in experiment.planned}) > 1:
        words.append(one.target)
    if len({type(other.fault) for other in experiment.planned}) > 1:
        words.append(one.fault.name)
    return identifier(" ".join(words))


def identifier(words: str) -> str:
    """A name for Python: lower case, words with underscores between them."""
    name = re.sub(r"\W+|_+", "_", re.sub(r"[^\x00-\x7f]", "_", words)).strip("_").lower() or "scenario"
    return f"{name}_" if keyword.iskeyword(name) else name


def _unique(name: str, names: set[str]) -> str:
    number, candidate = 1, name
    while candidate in names:
        number += 1
        candidate = f"{name}_{number}"
    names.add(candidate)
    return candidate


def _sentence(title: str) -> str:
    """A docstring of a title: nothing in it ends the string, and it fits its line."""
    text = re.sub(r"[\\\"]", "'", " ".join(title.split()))
    return f"{textwrap.shorten(text, _WIDTH - 12, placeholder=' ...')}."


def count(experiments: Iterable[Experiment]) -> int:
    """How many tests are planned."""
    return sum(len(experiment.planned) for experiment in experiments)
