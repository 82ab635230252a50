"""Reports users' mistakes: on the command line one usage error for the run, in a test file one line with its place."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import AnomodError, ScenarioError
from pytest_anomod.model.scenario import PROFILES
from pytest_anomod.model.workload import OpenLoop
from pytest_anomod.run.command_line import dest
from pytest_anomod.run.options import shard
from pytest_anomod.run.originals import by_system
from pytest_anomod.run.telling import NOTES

_NOTE = "usage-error.txt"
_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_CALLEE = re.compile(r"(\w+)(?:\.__init__)?\(\) ")
_UNKNOWN = re.compile(r"cannot import name '(\w+)'")


def check_options(option: Any, given: Iterable[str]) -> None:
    """UsageError for an invalid value; values that depend on tests or on the machine are checked later."""
    checks: dict[str, Callable[[Any], object]] = {
        "scale": lambda factor: PROFILES[option.anomod_durations].scaled(factor),
        "history": lambda seconds: dataclasses.replace(PROFILES[option.anomod_durations], history_s=seconds),
        "rate": lambda rate: OpenLoop(rate_rps=rate),
        "shard": shard,
        "repeat": lambda count: _check_least(count, 1, "times"),
        "patience": lambda seconds: _check_least(seconds, 0, "s"),
        "attempts": lambda count: _check_least(count, 0, "times"),
        "out": _check_out,
        "runtime": lambda name: catalog.find("runtimes", name),
        "compose": by_system,
        "injector": lambda name: catalog.find("injectors", name),
        "allow": _check_allowed,
        "base": _check_bases,
        "var-file": _check_files,
    }
    for name in given:
        value = getattr(option, dest(name))
        try:
            checks[name](value)
        except ScenarioError as error:
            said = " ".join(value) if isinstance(value, list) else value
            msg = f"--anomod-{name}={said}: {error}"
            raise pytest.UsageError(msg) from None


def _check_allowed(kinds: str) -> None:
    for word in kinds.split(","):
        if word.strip() not in ("shell", "python", "http", ""):
            msg = f"{word.strip()!r} is none of shell, python, http"
            raise ScenarioError(msg)


def _check_bases(pairs: list[str]) -> None:
    for pair in pairs:
        if not all(pair.partition("=")[::2]):
            msg = f"{pair!r}: write OLD=NEW, such as http://shop.example=http://localhost:8080"
            raise ScenarioError(msg)


def _check_files(files: list[str]) -> None:
    for file in files:
        if not os.path.isfile(file):
            msg = f"there is no file {file!r}"
            raise ScenarioError(msg)


def _check_out(place: str) -> None:
    if not place.strip():
        msg = "name a directory, or a URL such as s3://bucket/cases"
        raise ScenarioError(msg)


def _check_least(value: float, least: int, unit: str) -> None:
    if not least <= value < float("inf"):
        msg = f"must be at least {least} {unit}"
        raise ScenarioError(msg)


def refuse_run(config: pytest.Config, items: list[pytest.Item], why: str) -> None:
    """End the run with one usage error; a worker runs nothing, and the controller reports the error."""
    notes = getattr(config, "workerinput", {}).get(NOTES)
    if notes is None or not os.path.isdir(notes):
        raise pytest.UsageError(why)
    items.clear()
    mine = Path(notes, f"{os.getpid()}.why")
    mine.write_text(why, encoding="utf-8")
    mine.replace(Path(notes, _NOTE))


def check_refused(notes: Path) -> None:
    """On the controller: UsageError when a worker has found that this run can't work."""
    try:
        why = Path(notes, _NOTE).read_text(encoding="utf-8")
    except OSError:
        return
    raise pytest.UsageError(why)


def at_test(config: pytest.Config, function: Any, error: AnomodError) -> pytest.Collector.CollectError:
    """The error of collection for a test whose declaration can't work in this run: one line, at its decorators."""
    code = inspect.unwrap(function).__code__
    return pytest.Collector.CollectError(_line(config, code.co_filename, code.co_firstlineno, str(error)))


def in_file(collector: pytest.Collector, error: BaseException) -> str:
    """The one line about a mistake that was met while a test file was imported; "" for an error that is none."""
    if isinstance(error, pytest.Collector.CollectError):  # pytest's own wrapping of an ImportError
        error = error.__cause__ or error
    places = _places(error.__traceback__)
    outside = [place for place in places if not place[0].startswith(_PACKAGE)]
    message = _message(error, by_user=bool(outside) and outside[-1] == places[-1])
    if not message or not outside:
        return ""
    own = [place for place in outside if place[0] == str(collector.path)]
    return _line(collector.config, *(own or outside)[-1], message)


def _message(error: BaseException, *, by_user: bool) -> str:
    """What to say of an error; "" when it is no mistake in the use of ours. `by_user`: users' own code raised it."""
    if isinstance(error, AnomodError):
        return str(error)
    if isinstance(error, ImportError) and by_user and re.match(r"pytest_anomod(\.|$)", error.name or ""):
        return _unknown_import(error)
    if isinstance(error, TypeError) and by_user and (called := _CALLEE.match(str(error))) and called[1] in _callable():
        return str(error).replace(".__init__()", "()", 1)
    return ""


def _unknown_import(error: ImportError) -> str:
    unknown = _UNKNOWN.match(str(error))
    if unknown is None:
        return str(error)
    near = difflib.get_close_matches(unknown[1], dir(sys.modules[str(error.name)]), n=3)
    return f"{error.name} has no {unknown[1]!r}" + (f"; did you mean {', '.join(near)}?" if near else "")


def _callable() -> set[str]:
    """Names of what a test file calls of ours to declare something."""
    import pytest_anomod

    return {*pytest_anomod.__all__, *(fault.__name__ for fault in catalog.offers("faults").values())}


def _places(traceback: TracebackType | None) -> list[tuple[str, int]]:
    """File and line of each frame, the innermost last."""
    places = []
    while traceback is not None:
        places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return places


def _line(config: pytest.Config, file: str, line: int, message: str) -> str:
    return f"{os.path.relpath(file, config.invocation_params.dir)}:{line}: {message}"
