"""Makes requests of an operation from values seen in answers, examples of the document, and simple values."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.guided_values import Seen, Values, day_for, fits, words
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Day, Place, Step, Taken

_SURE = 0.8
_ROWS = 30
"""Objects that are looked at for one request."""


class Drafts:
    """Makes and changes requests; `values` are what answers had. `may_take` says whether a kept request's may be used.

    All chance comes from `random`.
    """

    def __init__(self, values: Values, random: Random, may_take: Callable[[int], bool] = lambda number: True) -> None:
        self.values = values
        self._random = random
        self._may_take = may_take
        self._domains: dict[tuple[str, Place], tuple[int, frozenset[str]]] = {}

    def revalued(self, step: Step, operation: Operation, place: Place) -> Step:
        """A step with another value at a place."""
        random, schema = self._random, operation.places[place]
        roll = random.random()
        if roll < 0.55 and (fitting := self.values.fitting(operation, place)[:24]):
            score_and_seen = random.choices(fitting, [score**2 for score, _ in fitting])[0]
            return self.spliced(step, place, score_and_seen[1])
        name = words(str(schema.get("x-name", place[-1])))
        if roll < 0.7 and (day := day_for(name, step.value(place), random)):
            return dataclasses.replace(step, taken={**step.taken, place: day}).with_value(place, day.of({}))
        if roll < 0.78 and (seen := self.values.any_of(schema, place, random)):
            return self.spliced(step, place, seen)
        if roll > 0.95 and place[0] != "path" and place not in operation.required:
            return step.without(place)
        return self._written(step, place, special(schema, step.value(place), random))

    def drafted(self, operation: Operation) -> Step:
        """A request of an operation, each value the likeliest that was seen, is given as an example, or is simple."""
        step, random = operation.empty(), self._random
        row = self.row_for(operation) if len(operation.places) > 2 and random.random() < 0.7 else {}
        left_out = random.choice((0.0, 0.1, 0.5))
        for place, schema in operation.places.items():
            if place not in operation.required and place[0] != "path" and random.random() < left_out:
                continue
            if place in row:
                step = self.spliced(step, place, row[place])
                continue
            name = words(str(schema.get("x-name", place[-1])))
            fitting = self.values.fitting(operation, place)[:6]
            if given := _given(schema):
                step = self._written(step, place, random.choice(given))
            elif fitting and fitting[0][0] >= _SURE and random.random() < 0.9:
                likely = [pair for pair in fitting if pair[0] >= fitting[0][0] - 0.5]
                step = self.spliced(step, place, random.choice(likely)[1])
            elif day := day_for(name, None, random):
                step = dataclasses.replace(step, taken={**step.taken, place: day}).with_value(place, day.of({}))
            else:
                step = self._written(step, place, special(schema, None, random))
        return step

    def row_for(self, operation: Operation) -> dict[Place, Seen]:
        """An object of an answer of which several values may stand in fields, all of them together.

        They have the names of fields, or are values that fields of such names had elsewhere: the two stations of a trip
        may be meant by from and to. The more fields, the likelier.
        """
        random, rows = self._random, self.values.rows
        named = {
            place: str(schema.get("x-name", place[-1]))
            for place, schema in operation.places.items()
            if schema.get("type") not in ("array", "boolean")
        }
        domains = {place: self._domain(operation, place) for place in named}
        found: list[dict[Place, Seen]] = []
        for row in random.sample(rows, min(_ROWS, len(rows))):
            match: dict[Place, Seen] = {}
            for place, name in named.items():
                if name in row and fits(row[name].value, operation.places[place], place):
                    match[place] = row[name]
                elif alike := [one for one in row.values() if str(one.value) in domains[place]]:
                    match[place] = random.choice(alike)
            if len(match) > 1:
                found.append(match)
        return random.choices(found, [len(one) ** 2 for one in found])[0] if found else {}

    def _domain(self, operation: Operation, place: Place) -> frozenset[str]:
        """Texts that a field may have, by the values of fields of its name; short ones say nothing."""
        key, known = (operation.name, place), len(self.values.rows) // 8
        if key not in self._domains or self._domains[key][0] != known:
            fitting = [one.value for score, one in self.values.fitting(operation, place)[:60] if score > 1]
            self._domains[key] = (
                known,
                frozenset(value for value in fitting if isinstance(value, str) and len(value) > 2),
            )
        return self._domains[key][1]

    def spliced(self, step: Step, place: Place, seen: Seen) -> Step:
        """A step with a value of an answer, unless too many requests would be needed before it."""
        step = step.with_value(place, seen.value)
        if not self._may_take(seen.source.step):
            return self._untaken(step, place)
        return dataclasses.replace(self._untaken(step, place), taken={**_above(step, place), place: seen.source})

    def _written(self, step: Step, place: Place, value: Json) -> Step:
        return self._untaken(step.with_value(place, value), place)

    def _untaken(self, step: Step, place: Place) -> Step:
        return dataclasses.replace(step, taken=_above(step, place))


def _above(step: Step, place: Place) -> dict[Place, Taken | Day]:
    """What a step takes from answers, but for a place and what is inside it."""
    return {other: source for other, source in step.taken.items() if other[: len(place)] != place}


def special(schema: Mapping[str, Any], now: Json, random: Random) -> Json:
    """A simple value of a schema's type, or one next to what is there now."""
    given = _given(schema)
    if given and random.random() < 0.7:
        return random.choice(given)
    told = schema.get("type")
    kind = next((one for one in told if one != "null"), "") if isinstance(told, list) else str(told or "")
    if (schema.get("nullable") or (isinstance(told, list) and "null" in told)) and random.random() < 0.1:
        return None
    if kind == "boolean":
        return not now if isinstance(now, bool) else random.random() < 0.5
    if kind in ("integer", "number"):
        near = [now + 1, now - 1] if isinstance(now, int | float) and not isinstance(now, bool) else []
        least = [schema["minimum"]] if isinstance(schema.get("minimum"), int | float) else []
        return random.choice([0, 1, 2, 3, 4, 5, 10, 100, -1, *near, *least])
    if kind == "array":
        return [] if random.random() < 0.3 else list(now or []) + list(now or [])[:1]
    if kind == "object":
        return {}
    if schema.get("format") == "uuid":
        return str(uuid.UUID(int=random.getrandbits(128), version=4))
    return random.choice(["", "1", "0", "2", "a", f"x{random.getrandbits(32):08x}", f"x{random.getrandbits(32):08x}"])


def _given(schema: Mapping[str, Any]) -> list[Json]:
    """Values that a document itself gives for a field."""
    given = [schema[word] for word in ("example", "default", "const") if schema.get(word) is not None]
    examples = schema.get("examples")
    return [*given, *(examples if isinstance(examples, list) else ()), *(schema.get("enum") or ())]
