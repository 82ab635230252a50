"""Ways to change a request: those that gained lines are taken more often, and so are the places whose change did."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.guided_drafts import Drafts
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import NONE, Place, Step

FIELD, FIELDS, ROW, OBJECT, DRAFT, WITHOUT, STRANGER, OPTIONS = (
    "field", "fields", "row", "object", "draft", "without", "stranger", "options",
)  # fmt: skip
WAYS = {FIELD: 4.0, FIELDS: 1.0, ROW: 4.0, OBJECT: 1.5, DRAFT: 3.0, WITHOUT: 1.0, STRANGER: 0.7, OPTIONS: 0.5}
"""How likely each is before anything is known: another value of one field, of some; several fields from one object of
an answer; a whole object; all anew; a field left out; the same without the login; the method OPTIONS."""
_ONCE = (STRANGER, OPTIONS)
"""Once for each operation."""

Changed = tuple[str, Step, tuple[Place, ...]]
"""The way, the step, the places."""


class Changes:
    """Changes steps; `gained` tells it what came of that. All chance comes from `random`."""

    def __init__(self, drafts: Drafts, random: Random) -> None:
        self._drafts, self._random = drafts, random
        self.ways: dict[str, list[int]] = {way: [0, 0] for way in WAYS}
        """Lines gained and tries of each way."""
        self._places: dict[tuple[str, Place], list[int]] = defaultdict(lambda: [1, 2])
        self._done: set[tuple[str, str]] = set()

    def gained(self, way: str, operation: str, places: tuple[Place, ...], *, lines: int, rung: bool) -> None:
        """Count what a change brought: lines that no request had, and whether its operation had a new one."""
        if way in self.ways:
            self.ways[way][0] += min(lines, 10)
            self.ways[way][1] += 1
        for place in places if way in (FIELD, FIELDS) else ():
            self._places[operation, place][0] += rung
            self._places[operation, place][1] += 1

    def changed(self, step: Step, operation: Operation, tried: Counter[Place]) -> Changed:
        """A step changed in one way; `tried` counts the places of this very step."""
        weights = [usual * (1 + self.ways[way][0]) / (4 + self.ways[way][1]) for way, usual in WAYS.items()]
        for way in self._random.choices(list(WAYS), weights, k=4):
            if made := self._made(way, step, operation, tried):
                return made
        return self._fields(FIELD, step, operation, tried)

    def _made(self, way: str, step: Step, operation: Operation, tried: Counter[Place]) -> Changed | None:
        random, places = self._random, tuple(operation.places)
        if way in _ONCE:
            if (way, operation.name) in self._done:
                return None
            self._done.add((way, operation.name))
            if way == STRANGER:
                return way, dataclasses.replace(step, anonymous=True), ()
            return way, dataclasses.replace(step, method="OPTIONS", body=None, kind=NONE, taken={}), ()
        if way == ROW:
            row = self._drafts.rows_for(operation)
            for place, seen in row.items():
                step = self._drafts.spliced(step, place, seen)
            return (way, step, tuple(row)) if row else None
        if way == OBJECT:
            step, where = self._drafts.object_for(operation, step)
            return (way, step, where) if where else None
        if way == DRAFT:
            return way, self._drafts.drafted(operation), places
        if way == WITHOUT:
            there = [place for place in places if place[0] != "path" and step.value(place) is not None]
            if not there:
                return None
            place = random.choice(there)
            return way, step.without(place), (place,)
        return self._fields(way, step, operation, tried)

    def _fields(self, way: str, step: Step, operation: Operation, tried: Counter[Place]) -> Changed:
        """One field, or two or three, those the likeliest whose change gained something and which were tried less."""
        places = list(operation.places)
        gains = [self._places[operation.name, place] for place in places]
        weights = [gain / tries / (1 + tried[place]) for place, (gain, tries) in zip(places, gains, strict=True)]
        chosen = self._random.choices(places, weights, k=1 if way == FIELD else self._random.choice((2, 3)))
        tried.update(chosen)
        for place in chosen:
            step = self._drafts.revalued(step, operation, place)
        return way, step, tuple(chosen)


def as_operation(step: Step) -> Operation:
    """A request that no document describes, as an operation: its query and its body's values by their types."""
    places: dict[Place, Mapping[str, Any]] = {("query", name): {"type": "string"} for name in step.query}
    places |= {place: {"type": _TYPES.get(type(value), "")} for place, value in _leaves(step.body, ("body",))}
    return Operation(step.method, step.route, places, frozenset(), step.kind)


_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


def _leaves(value: Json, place: Place) -> Iterator[tuple[Place, Json]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*place, key))
    elif isinstance(value, list) and value:
        yield from _leaves(value[0], (*place, 0))
    elif len(place) > 1:
        yield place, value
