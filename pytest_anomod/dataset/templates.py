"""Counts log templates: masks what varies in a line, then merges lines that differ in few words.

The same idea as Drain (He et al., ICWS 2017), kept small: lines are grouped by length and first word, and a line
joins the most alike template of its group when at least SIMILARITY of its words agree; words that differ become <*>.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WILDCARD = "<*>"
SIMILARITY = 0.6

_MASKS = tuple(
    (re.compile(pattern), WILDCARD)
    for pattern in (
        r"\"(?:[^\"\\]|\\.)*\"",  # what is quoted
        r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",  # UUIDs
        r"\b(?:https?|mongodb|redis|postgres)://\S+",
        r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{12,}\b",
        r"(?<![\w.])\d+(?:\.\d+){3}(?::\d+)?(?![\w.])",  # addresses
    )
)
_HAS_DIGIT = re.compile(r"\d")


class TemplateMiner:
    """Sorts log lines into templates; `add` what there is, then read `templates`."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, str], list[list[str]]] = {}
        self._counts: dict[int, int] = {}
        self._seen: dict[tuple[str, ...], list[str]] = {}

    def add(self, line: str, times: int = 1) -> None:
        """Take one line, seen so many times."""
        words = tuple(mask(line))
        template = self._seen.get(words)
        if template is None:
            template = self._place(words)
            self._seen[words] = template
        self._counts[id(template)] += times

    def add_all(self, lines: Iterable[str]) -> None:
        """Take many lines."""
        for line in lines:
            self.add(line)

    @property
    def templates(self) -> dict[str, int]:
        """Lines by template, the most frequent first."""
        counted: dict[str, int] = {}
        for group in self._groups.values():
            for template in group:
                text = " ".join(template)
                counted[text] = counted.get(text, 0) + self._counts[id(template)]
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    def _place(self, words: tuple[str, ...]) -> list[str]:
        first = words[0] if words else ""
        group = self._groups.setdefault((len(words), first), [])
        best = max(group, key=lambda template: _likeness(template, words), default=None)
        if best is None or _likeness(best, words) < SIMILARITY:
            best = list(words)
            group.append(best)
            self._counts[id(best)] = 0
        else:
            best[:] = [old if old == new else WILDCARD for old, new in zip(best, words, strict=True)]
        return best


def mask(line: str) -> list[str]:
    """The words of a line, those that hold digits, quotes, addresses or ids replaced by <*>."""
    for pattern, replacement in _MASKS:
        line = pattern.sub(replacement, line)
    return [WILDCARD if _HAS_DIGIT.search(word) else word for word in line.split()]


def _likeness(template: list[str], words: tuple[str, ...]) -> float:
    same = sum(old == new for old, new in zip(template, words, strict=True))
    return same / len(words) if words else 1.0
