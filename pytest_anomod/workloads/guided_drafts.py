"""Makes requests of an operation from values seen in answers, examples of the document, and simple values."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.workloads.guided_values import Row, Seen, Values, meant
from pytest_anomod.workloads.guided_words import (
    PASSWORD,
    Words,
    day_for,
    fits,
    given,
    is_password,
    is_prose,
    likeness,
    may_mean,
    words_of_route,
)
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Day, Place, Sent, Source, Step, leaves, text_of

_SURE, _LIKELY = 0.8, 1.5
"""How well names must agree for the first request of an operation, and for an object's value to be put in a field."""
_ROWS = 40
"""Objects that are looked at for one request."""
_FIELDS = 4
"""An object that fills more fields than so many is no likelier than one that fills so many."""
_MOST_KEYS = 0.6
"""So much of an object's keys another must have to stand in its place."""
_INT32, _INT64 = 2**31 - 1, 2**63 - 1


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
        name = meant(operation, place)
        day = day_for(name, step.value(place), random) if schema.get("type") != "integer" else None
        if day is not None and random.random() < 0.5:
            return self._with_day(step, place, day)
        roll = random.random()
        if roll < 0.6 and (fitting := self.values.fitting(operation, place)[:24]):
            return self.spliced(step, place, random.choices(fitting, [score**2 for score, _ in fitting])[0][1])
        if roll < 0.7 and (seen := self.values.any_of(schema, place, random)):
            return self.spliced(step, place, seen)
        return self._written(step, place, self._special(operation, place, step.value(place)))

    def drafted(self, operation: Operation) -> Step:
        """A request of an operation, each value the likeliest that was seen, is given as an example, or is simple."""
        step, random = operation.empty(), self._random
        row = self.rows_for(operation) if len(operation.places) > 1 and random.random() < 0.8 else {}
        left_out = random.choice((0.0, 0.0, 0.1, 0.5))
        for place, schema in operation.places.items():
            if place in row:
                step = self.spliced(step, place, row[place])
            elif place in operation.required or place[0] == "path" or random.random() >= left_out:
                step = self._first(step, operation, place, schema)
        return step

    def _first(self, step: Step, operation: Operation, place: Place, schema: Mapping[str, Any]) -> Step:
        """A step with the likeliest value at a place."""
        random = self._random
        fitting = self.values.fitting(operation, place)[:6]
        if (examples := given(schema)) and random.random() < 0.9:
            return self._written(step, place, random.choice(examples))
        if is_password(str(schema.get("x-name", place[-1])), schema):
            return self._written(step, place, PASSWORD)
        day = day_for(meant(operation, place), None, random) if schema.get("type") != "integer" else None
        if day is not None and random.random() < 0.7:
            return self._with_day(step, place, day)
        if fitting and fitting[0][0] >= _SURE and random.random() < 0.9:
            likely = [pair for pair in fitting if pair[0] >= fitting[0][0] - 0.5]
            return self.spliced(step, place, random.choice(likely)[1])
        return self._written(step, place, self._special(operation, place, None))

    def rows_for(self, operation: Operation) -> dict[Place, Seen]:
        """Values for fields from one object of an answer, or from two: what the first has not the second may have."""
        second = self.row_for(operation) if self._random.random() < 0.5 else {}
        return second | self.row_for(operation)

    def row_for(self, operation: Operation) -> dict[Place, Seen]:
        """An object of an answer of which several values may stand in fields, all of them together.

        They have names that agree with those of fields, or are values that such fields had elsewhere: the two stations
        of a trip may be meant by from and to. The more fields, the likelier; objects that fill the same fields are one
        choice, or the most frequent would crowd out others.
        """
        random, rows = self._random, self.values.rows
        wanted = {
            place: (meant(operation, place), self._domain(operation, place))
            for place, schema in operation.places.items()
            if schema.get("type") not in ("array", "boolean")
        }
        found: dict[frozenset[Place], list[dict[Place, Seen]]] = {}
        for row in random.sample(rows, min(_ROWS, len(rows))):
            row = self.values.joined(row) if random.random() < 0.6 else row
            match = self._matched(row, operation, wanted)
            if len(match) > 1:
                found.setdefault(frozenset(match), []).append(match)
        if not found:
            return {}
        return random.choice(random.choices(list(found.values()), [min(len(one), _FIELDS) for one in found])[0])

    def _matched(
        self, row: Row, operation: Operation, wanted: Mapping[Place, tuple[Words, frozenset[str]]]
    ) -> dict[Place, Seen]:
        """The values of an object by the places where each is the likeliest; now and then the next one.

        A value is in one place only, unless the other has its very name.
        """
        match: dict[Place, Seen] = {}
        used: set[int] = set()
        around = words_of_route(operation.route)
        for place, (name, domain) in wanted.items():
            scored = [
                (likeness(name, around, one.name, one.around) + 2.0 * (str(one.value) in domain), number, one)
                for number, one in enumerate(row.values())
                if (number not in used or name == one.name)
                and may_mean(name, one.value)
                and fits(one.value, operation.places[place], place)
            ]
            good = sorted((each for each in scored if each[0] > _LIKELY), key=lambda each: -each[0])
            if good:
                _, number, match[place] = good[1 if len(good) > 1 and self._random.random() < 0.15 else 0]
                used.add(number)
        return match

    def object_for(self, operation: Operation, step: Step) -> tuple[Step, tuple[Place, ...]]:
        """A step with one whole object of an answer in its body, which has most of the keys of the one in its place."""
        places = [place for place in operation.places if place[0] == "body"]
        prefixes: dict[Place, set[str]] = {}
        for place in places:
            for length in range(1, len(place)):
                if isinstance(place[length], str):
                    prefixes.setdefault(place[:length], set()).add(str(place[length]))
        ways = [
            (prefix, names, source, found)
            for prefix, names in prefixes.items()
            if len(names) > 1
            for keys, alike in self.values.objects.items()
            if len(keys & names) >= _MOST_KEYS * len(names)
            for source, found in alike
        ]
        if not ways:
            return step, ()
        prefix, names, source, found = self._random.choice(ways)
        for name in sorted(names & set(found)):
            inner = dataclasses.replace(source, keys=(*source.keys, name))
            step = self.spliced(step, (*prefix, name), Seen(found[name], inner, frozenset(), frozenset()))
        return step, tuple(place for place in places if place[: len(prefix)] == prefix)

    def _domain(self, operation: Operation, place: Place) -> frozenset[str]:
        """Texts that a field may have, by the values of fields of its name; short ones say nothing."""
        key, known = (operation.name, place), self.values.version // 64
        if key not in self._domains or self._domains[key][0] != known:
            fitting = [
                one.value
                for score, one in self.values.fitting(operation, place)[:60]
                if score > 1.5 and not isinstance(one.source, Sent)
            ]
            self._domains[key] = (
                known,
                frozenset(value for value in fitting if isinstance(value, str) and len(value) > 2),
            )
        return self._domains[key][1]

    def spliced(self, step: Step, place: Place, seen: Seen) -> Step:
        """A step with a value of an answer, unless too many requests would be needed before it."""
        step = self._untaken(step.with_value(place, seen.value), place)
        if seen.source is None or not (isinstance(seen.source, Day) or self._may_take(seen.source.step)):
            return step
        return dataclasses.replace(step, taken={**step.taken, place: seen.source})

    def spared(self, step: Step) -> Step:
        """A step that can't change the password of who has logged in, nor delete that account: others are named."""
        places: list[Place] = []
        if step.method == "DELETE":
            places = [("path", index) for index in range(len(step.path.split("/")))]
        keys = [keys for keys, _ in leaves(step.body)] if isinstance(step.body, dict) else []
        if any(is_secret_name(str(each[-1])) for each in keys):
            places += [("body", *each) for each in keys]
        for place in places:
            if text_of(step.value(place)) in self.values.own:
                step = self._written(step, place, f"x{self._random.getrandbits(32):08x}")
        return step

    def _with_day(self, step: Step, place: Place, day: Day) -> Step:
        step = self._untaken(step.with_value(place, day.of({})), place)
        return dataclasses.replace(step, taken={**step.taken, place: day})

    def _written(self, step: Step, place: Place, value: Json) -> Step:
        return self._untaken(step.with_value(place, value), place)

    def _untaken(self, step: Step, place: Place) -> Step:
        return dataclasses.replace(step, taken=_above(step, place))

    def _special(self, operation: Operation, place: Place, now: Json) -> Json:
        """A simple value; of a text also one that names people and addresses, as texts of users do."""
        schema, random = operation.places[place], self._random
        prose = 0.6 if is_prose(meant(operation, place)) else 0.02
        if schema.get("type") in (None, "string") and not schema.get("enum") and random.random() < prose:
            names = [str(one.value) for _, one in self.values.fitting(_ANYBODY, ("query", "username"))[:12]]
            who = " ".join(f"@{name}" for name in random.sample(names, min(2, len(names))))
            return f"Hello {who} https://example.org/{random.getrandbits(16):x}".strip()
        return special(schema, now, random)


_ANYBODY = Operation("GET", "/users", {("query", "username"): {"type": "string"}}, frozenset(), "")


def _above(step: Step, place: Place) -> dict[Place, Source]:
    """What a step takes from answers, but for a place and what is inside it."""
    return {other: source for other, source in step.taken.items() if other[: len(place)] != place}


def special(schema: Mapping[str, Any], now: Json, random: Random) -> Json:
    """A simple value of a schema's type, one at its bounds, or one next to what is there now."""
    if (examples := given(schema)) and random.random() < 0.7:
        return random.choice(examples)
    told = schema.get("type")
    kind = next((one for one in told if one != "null"), "") if isinstance(told, list) else str(told or "")
    if (schema.get("nullable") or (isinstance(told, list) and "null" in told)) and random.random() < 0.1:
        return None
    if kind == "boolean":
        return not now if isinstance(now, bool) else random.random() < 0.5
    if kind in ("integer", "number"):
        near = [now + 1, now - 1] if isinstance(now, int | float) and not isinstance(now, bool) else []
        return random.choice([0, 1, 1, 2, 2, 3, 4, 5, 6, 10, 100, *near, *_bounds(schema)])
    if kind == "array":
        return [] if random.random() < 0.3 else list(now or []) + list(now or [])[:1]
    if kind == "object":
        return {}
    if schema.get("format") == "uuid":
        return str(uuid.UUID(int=random.getrandbits(128), version=4))
    fresh = f"x{random.getrandbits(32):08x}"
    return random.choice(["", "0", "1", "2", "10", "a", '["1"]', "https://example.org/a", fresh, fresh, fresh])


def _bounds(schema: Mapping[str, Any]) -> Iterable[int | float]:
    """Values at the bounds of a schema and just outside; of one that says none those of its format."""
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and least > -_INT32:
        yield from (least, least - 1)
    else:
        yield -1
    if isinstance(most, int | float):
        yield most
    elif schema.get("format") in ("int32", "int64"):
        yield _INT32 if schema["format"] == "int32" else _INT64
