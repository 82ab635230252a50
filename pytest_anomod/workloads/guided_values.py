"""Values seen in a system's answers, or sent to it, and which of them fit a field of a request."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.workloads.guided_words import Words, fits, likeness, may_mean, words, words_of_route
from pytest_anomod.workloads.openapi_document import Operation
from pytest_anomod.workloads.script import Place, Sent, Source, Step, Taken, joined, leaves

MOST_OF_A_KIND = 12
"""Values kept of one field of one resource: lists have hundreds, which say no more."""
MOST_MADE = 24
"""As many of what came to be by requests of ours."""
MOST_ROWS = 3
"""Objects of one list that are looked at, from each end."""
_ENVELOPES = frozenset({"data", "items", "results", "result", "content", "list", "rows", "records", "payload"})
"""Keys that say nothing of what is below them."""
_MADE_BONUS = 1.1
_CLAIMS = re.compile(r"eyJ[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.")

Row = Mapping[str, "Seen"]


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A value, where it is from (None: from the login itself), and the words of its name and of its resource."""

    value: Json
    source: Source | None
    name: Words
    around: Words
    made: bool = False
    """Whether it is of something that a request of ours brought about."""


class Values:
    """What was seen, by the words of its name. `version` grows with each value."""

    def __init__(self) -> None:
        self.version = 0
        self.own: set[str] = set()
        """Texts that name who has logged in."""
        self.rows: list[Row] = []
        """Objects by their keys."""
        self.objects: dict[frozenset[str], list[tuple[Taken, Mapping[str, Json]]]] = defaultdict(list)
        """Whole objects, and where they are from, by the set of their keys."""
        self._by_id: dict[str, Row] = {}
        self._by_word: dict[str, list[Seen]] = defaultdict(list)
        self._counts: dict[tuple[Words, Words, bool], list[str]] = defaultdict(list)
        self._fitting: dict[tuple[str, Place], tuple[int, list[tuple[float, Seen]]]] = {}

    def learn(self, number: int, route: str, answer: Json, *, made: bool = False) -> int:
        """Take in the answer to a kept request; how many values in it are new."""
        before = self.version
        around = words_of_route(route)
        for keys, row in _objects(answer):
            key = next((key for key in reversed(keys) if isinstance(key, str)), "")
            under = words(key) if key and key not in _ENVELOPES else around
            seen = dict(_cells(row, number, keys, under, made))
            for key, value in row.items():
                if isinstance(value, dict):
                    inner = _cells(value, number, (*keys, key), words(key), made)
                    seen |= {f"{key}.{name}": one for name, one in inner}
            self._add_row(seen)
            alike = self.objects[frozenset(row)]
            if len(row) > 1 and len(alike) < MOST_OF_A_KIND and not any(map(is_secret_name, row)):
                alike.append((Taken(number, keys), row))
        if isinstance(answer, str | int) and not isinstance(answer, bool):
            self._add(Seen(answer, Taken(number, ()), around, around, made))
        for keys, value in _bare(answer):
            self._add(Seen(value, Taken(number, keys), around, around, made))
        return self.version - before

    def learn_sent(self, number: int, step: Step) -> None:
        """Take in what a kept request sent that went well: such a thing exists now, or did before."""
        around = words_of_route(step.route)
        row = {}
        for keys, value in leaves(step.body) if isinstance(step.body, dict) else ():
            name = str(keys[-1]) if keys else ""
            if isinstance(value, str | int | float) and value != "" and not isinstance(value, bool):
                source = step.taken.get(("body", *keys)) or Sent(number)
                row[name] = Seen(value, source, words(name), around, made=True)
        self._add_row({name: one for name, one in row.items() if not is_secret_name(name)})

    def learn_login(self, headers: Mapping[str, str]) -> None:
        """Take in who has logged in, as far as the login is a JSON web token whose claims say so."""
        for found in _CLAIMS.findall(" ".join(headers.values())):
            try:
                claims = json.loads(base64.urlsafe_b64decode(found + "=" * (-len(found) % 4)))
            except ValueError:
                continue
            who = frozenset({"user"})
            for key, value in claims.items() if isinstance(claims, dict) else ():
                if key in ("sub", "id", "username", "user_id", "email"):
                    self.own.add(str(value))
                if isinstance(value, str | int) and key not in ("iat", "exp", "nbf", "jti", "ttl", "timestamp"):
                    self._add(Seen(value, None, words(key) if key != "sub" else words("username"), who, made=True))

    def _add_row(self, row: Row) -> None:
        kept = [key for key, one in row.items() if self._add(one)]
        if len(kept) >= 2:
            self.rows.append(row)
            if "id" in row:
                self._by_id[str(row["id"].value)] = row

    def _add(self, one: Seen) -> bool:
        known = self._counts[one.name, one.around, one.made]
        shown = repr(one.value)[:200]
        if not one.name or len(known) >= (MOST_MADE if one.made else MOST_OF_A_KIND):
            return False
        if shown in known or shown in self._counts[one.name, one.around, not one.made]:
            return False
        known.append(shown)
        self.version += 1
        for word in one.name | one.around:
            self._by_word[word].append(one)
        return True

    def fitting(self, operation: Operation, place: Place) -> list[tuple[float, Seen]]:
        """What may be meant at a place, with how well the names agree, the best first; what was made before others."""
        key = (operation.name, place)
        if key not in self._fitting or self._fitting[key][0] != self.version:
            self._fitting[key] = (self.version, self._found(operation, place))
        return self._fitting[key][1]

    def _found(self, operation: Operation, place: Place) -> list[tuple[float, Seen]]:
        schema = operation.places.get(place, {})
        wanted, around = meant(operation, place), words_of_route(operation.route)
        found: dict[int, tuple[float, Seen]] = {}
        for seen in (seen for word in wanted or around for seen in self._by_word.get(word, ())):
            one = _as_text(seen, schema)
            if id(seen) not in found and fits(one.value, schema, place) and may_mean(wanted, one.value):
                score = likeness(wanted, around, one.name, one.around)
                if score > 0:
                    found[id(seen)] = (score * (_MADE_BONUS if one.made else 1.0), one)
        return sorted(found.values(), key=lambda pair: -pair[0])

    def joined(self, row: Row) -> Row:
        """An object together with those whose ids it has: a trip and its route."""
        found = dict(row)
        for key, one in row.items():
            other = self._by_id.get(str(one.value)) if "id" in one.name and key != "id" else None
            found |= {f"{key}.{name}": inner for name, inner in (other or {}).items() if name != "id"}
        return found

    def any_of(self, schema: Mapping[str, Any], place: Place, random: Random) -> Seen | None:
        """Some value that is of the right type."""
        words_known = list(self._by_word)
        for _ in range(6 if words_known else 0):
            one = random.choice(self._by_word[random.choice(words_known)])
            if fits(one.value, schema, place):
                return one
        return None


def meant(operation: Operation, place: Place) -> Words:
    """The words of the name of a place; of a list without a name those of the route's last fixed segment."""
    name = str(operation.places.get(place, {}).get("x-name", place[-1]))
    if name == "body" or (isinstance(place[-1], int) and place[:-1] == ("body",)):
        fixed = [part for part in operation.route.split("/") if part and not part.startswith("{")]
        return words(fixed[-1] if fixed else "") - {"by", "list"}
    return words(name)


def _as_text(one: Seen, schema: Mapping[str, Any]) -> Seen:
    """A list of plain values as one text with commas, where a text is wanted."""
    if schema.get("type") != "string" or not isinstance(one.value, list) or not one.value:
        return one
    if not all(isinstance(item, str | int) for item in one.value):
        return one
    return dataclasses.replace(one, value=",".join(map(str, one.value)), source=None)


def _cells(
    row: Mapping[str, Json], number: int, keys: tuple[str | int, ...], around: Words, made: bool
) -> Iterator[tuple[str, Seen]]:
    """The plain values of an object by their keys, lists, and objects that may be meant as one text."""
    for key, value in row.items():
        if is_secret_name(key) or value in ("", []):
            continue
        if isinstance(value, str | int | float | list):
            yield key, Seen(value, Taken(number, (*keys, key)), words(key), around, made)
        elif _may_be_joined(value):
            yield key, Seen(joined(value), Taken(number, (*keys, key), joined=True), words(key), around, made)


def _may_be_joined(value: Json) -> bool:
    return isinstance(value, dict) and 1 < len(value) < 4 and all(isinstance(x, str | int) for x in value.values())


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


def _ends(values: Sequence[Any]) -> Iterable[int]:
    count = len(values)
    return sorted({*range(min(MOST_ROWS, count)), *range(max(0, count - MOST_ROWS), count)})
