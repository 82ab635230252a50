"""Values seen in a system's answers, and which of them fit a field of a request."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Day, Place, Taken, joined

MOST_OF_A_KIND = 12
"""Values kept of one field of one resource: lists have hundreds, which say no more."""
MOST_ROWS = 3
"""Objects of one list that are looked at, from each end."""
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NO_RESOURCE = frozenset({"api", "v", "1", "2", "3", "service", "services", "rest"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?")
_DAY_WORDS = frozenset({"date", "day", "time"})

Words = frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A value of an answer: whose (number of a kept request), where in it, and the words of its name and resource."""

    value: Json
    source: Taken
    name: Words
    around: Words


class Values:
    """What was seen, by the words of its name."""

    def __init__(self) -> None:
        self._by_word: dict[str, list[Seen]] = defaultdict(list)
        self._counts: dict[tuple[Words, Words], list[str]] = defaultdict(list)
        self.rows: list[Mapping[str, Seen]] = []

    def learn(self, number: int, route: str, answer: Json) -> None:
        """Take in the answer to a kept request."""
        around = words_of_route(route)
        for keys, row in _objects(answer):
            under = around | words(str(next((key for key in reversed(keys) if isinstance(key, str)), "")))
            seen = {
                key: Seen(value, Taken(number, (*keys, key)), words(key), under)
                for key, value in row.items()
                if isinstance(value, str | int | float | list) and value not in ("", []) and not is_secret_name(key)
            }
            for key, value in row.items():
                if (
                    isinstance(value, dict)
                    and 1 < len(value) < 4
                    and all(isinstance(x, str | int) for x in value.values())
                ):
                    seen[key] = Seen(joined(value), Taken(number, (*keys, key), joined=True), words(key), under)
            kept = {key: one for key, one in seen.items() if self._add(one)}
            if len(kept) >= 2:
                self.rows.append(seen)
        if isinstance(answer, str | int) and not isinstance(answer, bool):
            self._add(Seen(answer, Taken(number, ()), around, around))
        for keys, value in _bare(answer):
            self._add(Seen(value, Taken(number, keys), around, around))

    def _add(self, one: Seen) -> bool:
        known = self._counts[one.name, one.around]
        shown = repr(one.value)[:200]
        if shown in known or len(known) >= MOST_OF_A_KIND or not one.name:
            return False
        known.append(shown)
        for word in one.name | one.around:
            self._by_word[word].append(one)
        return True

    def fitting(self, operation: Operation, place: Place) -> list[tuple[float, Seen]]:
        """What may be meant at a place, with how well the names agree, the best first."""
        schema = operation.places.get(place, {})
        wanted, around = words(str(schema.get("x-name", place[-1]))), words_of_route(operation.route)
        found: dict[int, tuple[float, Seen]] = {}
        for word in wanted or around:
            for one in self._by_word.get(word, ()):
                if id(one) not in found and fits(one.value, schema, place):
                    score = likeness(wanted, around, one)
                    if score > 0:
                        found[id(one)] = (score, one)
        return sorted(found.values(), key=lambda pair: -pair[0])

    def any_of(self, schema: Mapping[str, Any], place: Place, random: Random) -> Seen | None:
        """Some value that is of the right type."""
        words_known = list(self._by_word)
        for _ in range(6 if words_known else 0):
            one = random.choice(self._by_word[random.choice(words_known)])
            if fits(one.value, schema, place):
                return one
        return None


def words(name: str) -> Words:
    """The words of a name in any of the usual spellings, small and without a plural's s."""
    found = (word.lower() for word in _WORDS.findall(name))
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found)


def words_of_route(route: str) -> Words:
    """The words of a route's fixed segments, `service` at their end left out."""
    fixed = [part for part in route.split("/") if part and not part.startswith("{")]
    return frozenset().union(*(words(re.sub(r"(?i)service$", "", part)) for part in fixed)) - _NO_RESOURCE


def likeness(wanted: Words, around: Words, one: Seen) -> float:
    """How well a seen value's name agrees with a field's: 0 not at all, 3 and more for the same thing."""
    shared = wanted & one.name
    if wanted == one.name:
        return (3.0 if wanted != {"id"} else 1.0) + len(around & one.around) / (1 + len(around))
    if one.name < wanted and wanted - one.name <= one.around:
        return 2.9  # contactsId, and the id of a contact
    if shared:
        return 0.5 + len(shared) / len(wanted | one.name) + 0.3 * bool(around & one.around)
    return 0.3 if wanted & one.around and one.name == {"id"} else 0.0


def fits(value: Json, schema: Mapping[str, Any], place: Place) -> bool:
    """Whether a value may stand at a place by its type."""
    told = schema.get("type")
    kinds = set(told) if isinstance(told, list) else {told}
    if place[0] in ("path", "query") or "string" in kinds:
        if isinstance(value, int | float) and place[0] != "body":
            return True
        return isinstance(value, str) and not (kinds & {"integer", "number"} and not value.lstrip("-").isdigit())
    if "boolean" in kinds:
        return isinstance(value, bool)
    if kinds & {"integer", "number"}:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if "array" in kinds:
        return isinstance(value, list)
    return kinds == {None}


def day_for(wanted: Words, value: Json, random: Random) -> Day | None:
    """A day near today in the form of a value that is one, or for a name that means one."""
    if isinstance(value, str) and (found := _DAY.fullmatch(value)):
        clock_part = found[1] or ""
        form = {0: "", 6: "%H:%M"}.get(len(clock_part), "%H:%M:%S")
        return Day(random.choice((1, 1, 0, 7, -1)), f"%Y-%m-%d{clock_part[:1]}{form}")
    if wanted & _DAY_WORDS:
        return Day(random.choice((1, 1, 0, 7, -1)), random.choice(("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")))
    return None


def _objects(answer: Json, keys: tuple[str | int, ...] = (), deep: int = 6) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The objects of an answer with their keys; of a list a few from either end."""
    if not deep:
        return
    if isinstance(answer, dict):
        if len(keys) or not {"status", "msg", "data"} >= set(answer):
            yield keys, answer
        for key, value in answer.items():
            yield from _objects(value, (*keys, key), deep - 1)
    elif isinstance(answer, list):
        for index in _ends(answer):
            yield from _objects(answer[index], (*keys, index), deep - 1)


def _bare(answer: Json) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Values that stand in an envelope or a list without a name of their own."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if isinstance(data, str) and data:
        yield ("data",), data
    for keys, values in ((("data",), data), ((), answer)):
        if isinstance(values, list):
            for index in _ends(values):
                if isinstance(values[index], str | int) and not isinstance(values[index], bool):
                    yield (*keys, index), values[index]


def _ends(values: Sequence[Any]) -> list[int]:
    count = len(values)
    return sorted({*range(min(MOST_ROWS, count)), *range(max(0, count - MOST_ROWS), count)})
