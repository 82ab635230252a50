"""Reads a file that may be a Chaos Toolkit experiment, with the line of each of its values; runs nothing of it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pytest_anomod.model.errors import ScenarioError

EXTENSION = "pytest-anomod"
"""Name of our entry among the experiment's extensions."""
MOST_NODES = 100_000
"""An experiment has fewer values, aliases followed; a file with more is none."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Where = tuple[str | int, ...]
"""The way to a value: keys and positions from the top of the document."""


class NotAnExperimentError(ScenarioError):
    """A file that can be read, but is something else."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file. `line_of` gives the line of a value (or of the nearest that holds it), counted from 1."""

    path: Path
    data: dict[str, Any]
    line_of: Callable[[Where], int]


class Placed(NamedTuple):
    """An activity of an experiment: its part (hypothesis, method, rollbacks, configuration, tolerance) and its way."""

    part: str
    where: Where
    activity: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name; of a mere reference what it refers to."""
        return str(self.activity.get("name") or self.activity.get("ref") or "an activity without a name")


def read(path: Path) -> Document:
    """The document in a file; ScenarioError "file:line: what" when it is no experiment or can't be read as one."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise NotAnExperimentError(f"{path.name}:1: not a Chaos Toolkit experiment: it is no text in UTF-8") from None
    except OSError as error:
        raise ScenarioError(f"{path.name}:1: can't be read: {error.strerror}") from None
    data, line_of = _json(path, text) if path.suffix == ".json" else _yaml(path, text)
    if not is_experiment(data):
        raise NotAnExperimentError(f"{path.name}:1: not a Chaos Toolkit experiment: {_what_instead(data)}")
    return Document(path=path, data=data, line_of=line_of)


def is_experiment(data: Any) -> bool:
    """Whether parsed data is meant to be an experiment, good or bad."""
    if not isinstance(data, dict) or {"apiVersion", "kind"} <= data.keys():
        return False
    return "method" in data or ("title" in data and "steady-state-hypothesis" in data)


def _what_instead(data: Any) -> str:
    if isinstance(data, dict) and {"apiVersion", "kind"} <= data.keys():
        return f"a Kubernetes manifest of kind {data['kind']!r}; `anomod import FILE` makes scenarios of such files"
    if isinstance(data, dict):
        return "it has no 'method' (and no 'title' with a 'steady-state-hypothesis')"
    if data is None:
        return "it is empty"
    return f"at its top there is a {type(data).__name__}, not a mapping"


def _json(path: Path, text: str) -> tuple[Any, Callable[[Where], int]]:
    """JSON is parsed by the standard library; lines are looked up when somebody asks."""
    doubled: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            names = [name for name, _ in found]
            doubled.extend(name for name in made if names.count(name) > 1)
        return made

    try:
        data = json.loads(text, object_pairs_hook=pairs)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise ScenarioError(f"{path.name}:{line}: not JSON: {getattr(error, 'msg', error)}") from None
    except RecursionError:
        raise ScenarioError(f"{path.name}:1: not a Chaos Toolkit experiment: it is nested too deeply") from None
    if doubled:
        lines = [number for number, line in enumerate(text.splitlines(), 1) if f'"{doubled[0]}"' in line]
        raise ScenarioError(_twice(path, doubled[0], lines[-2:]))
    lines_of: dict[Where, int] = {}

    def line_of(where: Where) -> int:
        if not lines_of:
            lines_of.update(_lines(yaml.compose(text.replace("\t", " "), Loader=_Loader)))
        return _nearest(lines_of, where)

    return data, line_of


def _yaml(path: Path, text: str) -> tuple[Any, Callable[[Where], int]]:
    """YAML as chaoslib reads it (safe: no tag can make anything), but a key that stands twice is an error."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        _refuse_doubles(path, node)
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        said = " ".join(str(error.problem or error.context).split())
        raise ScenarioError(f"{path.name}:{line}: not YAML that is safe to read: {said}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise ScenarioError(f"{path.name}:1: not YAML that is safe to read: {said}") from None
    finally:
        loader.dispose()
    lines_of: dict[Where, int] = {}

    def line_of(where: Where) -> int:
        if not lines_of:
            lines_of.update(_lines(node))
        return _nearest(lines_of, where)

    return data, line_of


def _refuse_doubles(path: Path, root: yaml.Node | None) -> None:
    """ScenarioError for a key that stands twice, an alias that holds itself, and aliases that multiply without end."""
    left = MOST_NODES
    todo: list[tuple[yaml.Node | None, tuple[int, ...]]] = [(root, ())]
    while todo:
        node, above = todo.pop()
        left -= 1
        if node is None:
            continue
        if left < 0 or id(node) in above:
            what = "an alias holds itself" if id(node) in above else f"it has more than {MOST_NODES:,} values"
            raise ScenarioError(f"{path.name}:{node.start_mark.line + 1}: not a Chaos Toolkit experiment: {what}")
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in seen:
                        raise ScenarioError(_twice(path, key.value, [seen[key.value], line]))
                    seen[key.value] = line
                todo.append((value, (*above, id(node))))
        elif isinstance(node, yaml.SequenceNode):
            todo.extend((item, (*above, id(node))) for item in node.value)


def _twice(path: Path, key: str, lines: list[int]) -> str:
    first = f" (first in line {lines[0]})" if len(lines) > 1 else ""
    return (
        f"{path.name}:{lines[-1] if lines else 1}: the key {key!r} stands twice{first}; only the last would be played"
    )


def _lines(root: yaml.Node | None) -> dict[Where, int]:
    """The line of each value by its way from the top."""
    found: dict[Where, int] = {(): 1}
    todo: list[tuple[yaml.Node | None, Where]] = [(root, ())]
    while todo:
        node, where = todo.pop()
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                found[(*where, key.value)] = key.start_mark.line + 1
                todo.append((value, (*where, key.value)))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                found[(*where, number)] = item.start_mark.line + 1
                todo.append((item, (*where, number)))
    return found


def _nearest(lines: Mapping[Where, int], where: Where) -> int:
    while where not in lines:
        where = where[:-1]
    return lines[where]


def activities(data: Mapping[str, Any]) -> Iterator[Placed]:
    """Everything in an experiment that would be executed, in the order of the file; malformed parts are left out."""
    for name, value in _items(data.get("configuration")):
        if isinstance(value, dict) and value.get("type") == "probe":
            yield Placed("configuration", ("configuration", name), value)
    hypothesis = data.get("steady-state-hypothesis")
    probes = hypothesis.get("probes") if isinstance(hypothesis, dict) else None
    parts = (
        ("hypothesis", ("steady-state-hypothesis", "probes"), probes),
        ("method", ("method",), data.get("method")),
        ("rollbacks", ("rollbacks",), data.get("rollbacks")),
    )
    for part, where, listed in parts:
        for number, activity in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(activity, dict):
                yield Placed(part, (*where, number), activity)
                tolerance = activity.get("tolerance")
                if part == "hypothesis" and isinstance(tolerance, dict) and tolerance.get("type") == "probe":
                    yield Placed("tolerance", (*where, number, "tolerance"), tolerance)


def controls(data: Mapping[str, Any]) -> Iterator[tuple[Where, dict[str, Any]]]:
    """Every control of an experiment, with its way."""
    holders: list[tuple[Where, Any]] = [((), data), (("steady-state-hypothesis",), data.get("steady-state-hypothesis"))]
    holders += [(placed.where, placed.activity) for placed in activities(data)]
    for where, holder in holders:
        listed = holder.get("controls") if isinstance(holder, dict) else None
        for number, control in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(control, dict):
                yield (*where, "controls", number), control


def settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Our own entry of the extensions: {system, target, level, expects, seen}; empty when there is none."""
    extensions = data.get("extensions")
    if isinstance(extensions, dict):
        own = extensions.get(EXTENSION)
        return dict(own) if isinstance(own, dict) else {}
    for entry in extensions if isinstance(extensions, list) else ():
        if isinstance(entry, dict) and entry.get("name") == EXTENSION:
            return {key: value for key, value in entry.items() if key != "name"}
    return {}


def tags(data: Mapping[str, Any]) -> list[str]:
    """The tags of an experiment as names that a mark can have."""
    listed = data.get("tags")
    words = [tag for tag in listed if isinstance(tag, str)] if isinstance(listed, list) else []
    return list(dict.fromkeys(filter(None, (re.sub(r"[^\w.-]+", "_", word).strip("_") for word in words))))


def _items(mapping: Any) -> list[tuple[str, Any]]:
    return list(mapping.items()) if isinstance(mapping, dict) else []
