"""Reads YAML and JSON with the line of each value, and records which keys were read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import Node

MARKER = re.compile(r"^---(?:\s.*)?$", re.MULTILINE)
TEMPLATE = re.compile(r"^[\s-]*(?:[\w./-]+:\s*)?(\{\{.*)$", re.MULTILINE)
"""A line that is a template's: {{- if ... }}, or `name: {{ .Values.name }}` without quotes."""
PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\$\{\w+[^}]*\}|\$\w+|<[\w -]+>")
"""What stands for a value that is filled in later: {{ .Values.app }}, ${APP}, $APP, <app name>."""
_NULL = "tag:yaml.org,2002:null"


@dataclasses.dataclass(slots=True, eq=False)
class Lined:
    """A value and its line (1-based): a text, None, a list of Lined, or Lined by key. Scalars stay as written."""

    value: Any
    line: int
    lines: dict[str, int] = dataclasses.field(default_factory=dict)
    """Lines of the keys of a mapping."""
    asked: set[str] = dataclasses.field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether there is something: an absent key and a null are the same."""
        return self.value is not None

    @property
    def word(self) -> str:
        """The text that stands here; "" when none does, or a list or a mapping."""
        return self.value if isinstance(self.value, str) else ""

    def get(self, *path: str) -> Lined:
        """What is below these keys; an empty one at this line when it is absent, or this is no mapping."""
        found = self
        for key in path:
            if not isinstance(found.value, dict) or key not in found.value:
                return Lined(None, found.line)
            found.asked.add(key)
            found = found.value[key]
        return found

    def text(self, *path: str) -> str:
        """The text below these keys; "" when there is none, or it is no scalar."""
        return self.get(*path).word

    def flag(self, *path: str) -> bool:
        """Whether a true value stands there."""
        return self.text(*path).lower() in ("true", "yes", "on", "1")

    def items(self) -> list[tuple[str, Lined]]:
        """Keys and values of a mapping, all of them asked for; none of anything else."""
        if not isinstance(self.value, dict):
            return []
        self.asked.update(self.value)
        return list(self.value.items())

    def elements(self) -> list[Lined]:
        """The elements of a list; none of anything else."""
        return self.value if isinstance(self.value, list) else []

    def texts(self) -> list[str]:
        """The scalars of a list, or the one that this is."""
        if isinstance(self.value, str):
            return [self.value]
        return [one.value for one in self.elements() if isinstance(one.value, str)]

    def skip(self, *keys: str) -> None:
        """Count these keys as read, although they have no effect."""
        self.asked.update(keys)

    def unasked(self, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, int]]:
        """Keys that nobody asked for, with their lines, down to those of which nothing was asked at all."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        if isinstance(self.value, dict):
            for key, value in self.value.items():
                if key not in self.asked:
                    yield prefix + key, self.lines.get(key, value.line)
                elif value.asked or isinstance(value.value, list):
                    yield from value.unasked(f"{prefix}{key}.", seen)
        elif isinstance(self.value, list):
            for value in self.value:
                if value.asked:
                    yield from value.unasked(prefix, seen)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a document can't be read: the line, what stands there, and the reason."""

    line: int
    key: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file: its text, its first line, and what it holds or why that can't be had."""

    text: str
    line: int
    root: Lined | None
    trouble: Trouble | None = None


def documents(text: str) -> list[Document]:
    """All documents of a YAML or JSON file, each for itself: trouble in one leaves the others alone."""
    starts = [0, *(match.start() for match in MARKER.finditer(text))]
    parts = [text[begin:end] for begin, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    lines = [1 + text.count("\n", 0, start) for start in starts]
    found = [_document(part, line) for part, line in zip(parts, lines, strict=True) if _says_something(part)]
    return [part for document in found for part in _items(document)]


def _says_something(part: str) -> bool:
    lines = (line.strip() for line in part.splitlines())
    return any(line and line[0] not in "#%" and not MARKER.match(line) for line in lines)


def _document(text: str, first: int) -> Document:
    import yaml

    if match := TEMPLATE.search(text):
        line = first + text.count("\n", 0, match.start(1))
        why = "a template: render it first (helm template, kustomize build, envsubst), and import what comes out"
        return _bad(text, first, line, match[1].strip(), why)
    try:
        # JSON may be indented by tabs, which YAML forbids; within its strings there are none
        plain = text.replace("\t", " ") if text.lstrip()[:1] in "[{" else text
        node = yaml.compose(plain, Loader=yaml.SafeLoader)
        root = _Converter(first - 1).convert(node)
    except _TwiceError as twice:
        why = f"the key stands here and on line {twice.before}; which one counts differs from reader to reader"
        return _bad(text, first, twice.line, twice.key, why)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = first + (mark.line if mark else 0)
        return _bad(text, first, line, "YAML", f"can't be read: {what}")
    except RecursionError:
        return _bad(text, first, first, "YAML", "can't be read: it is nested too deeply, or refers to itself")
    return Document(text=text, line=root.line, root=root)


def _bad(text: str, first: int, line: int, key: str, why: str) -> Document:
    return Document(text=text, line=first, root=None, trouble=Trouble(line=line, key=key, why=why))


def _items(document: Document) -> list[Document]:
    """The elements of a `kind: List`, or the document itself."""
    root = document.root
    if root is None or root.text("kind") != "List":
        return [document]
    return [Document(text=document.text, line=item.line, root=item) for item in root.get("items").elements()]


class _TwiceError(Exception):
    """A key that stands in a mapping twice."""

    def __init__(self, key: str, line: int, before: int) -> None:
        super().__init__(key)
        self.key, self.line, self.before = key, line, before


class _Converter:
    """From the nodes of PyYAML to Lined; a node that several aliases name is converted once."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._done: dict[int, Lined] = {}

    def convert(self, node: Node | None) -> Lined:
        if node is None:
            return Lined(None, self._offset + 1)
        if id(node) not in self._done:
            line = node.start_mark.line + 1 + self._offset
            made = self._done[id(node)] = Lined(None, line)
            if node.id == "scalar":
                made.value = None if node.tag == _NULL else node.value
            elif node.id == "sequence":
                made.value = [self.convert(one) for one in node.value]
            else:
                made.value = self._mapping(node, made)
        return self._done[id(node)]

    def _mapping(self, node: Node, made: Lined) -> dict[str, Lined]:
        found: dict[str, Lined] = {}
        merged: dict[str, Lined] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1 + self._offset
            value = self.convert(value_node)
            if key == "<<":
                for one in reversed(value.elements() or [value]):
                    merged.update(dict(one.items()))
                continue
            if key in found:
                raise _TwiceError(key, line, made.lines[key])
            found[key] = value
            made.lines[key] = line
        return {**merged, **found}
