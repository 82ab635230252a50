"""Requests as data, from a file of another tool or from exploring; values may be taken from earlier answers."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import quote, unquote, urlencode

from pytest_anomod.model import clock
from pytest_anomod.model.fault import Json
from pytest_anomod.model.system import Journey
from pytest_anomod.model.workload import Client, Response

Place = tuple[str | int, ...]
"""Where a value stands in a request: ("path", segment number), ("query", name), ("body", key, index, ...)."""

JSON, FORM, TEXT, NONE = "json", "form", "text", ""


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """A value taken from the answer to an earlier step of the same journey, by keys and indexes from its root."""

    step: int
    keys: tuple[str | int, ...]
    joined: bool = False
    """Whether the parts of an object there are meant, put together: {"type": "G", "number": "1234"} as G1234."""

    def of(self, answers: Mapping[int, Json]) -> Json:
        """The value; of a list that is shorter now its last; None where the answer has no such thing."""
        value = answers.get(self.step)
        for key in self.keys:
            if isinstance(value, list) and isinstance(key, int) and key >= len(value) > 0:
                key = len(value) - 1
            value = dig(value, (key,))
        return joined(value) if self.joined else value


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """A value that an earlier step of the same journey sent: what is written here stays, but is only true after it."""

    step: int

    def of(self, answers: Mapping[int, Json]) -> Json:
        """None: no answer has the value."""
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Day:
    """A day counted from today, in a form of `strftime`: a written date would be over by the next play."""

    days: int
    form: str

    def of(self, answers: Mapping[int, Json]) -> Json:
        """The day as text."""
        day = datetime.datetime.fromtimestamp(clock.now_ns() / 1e9, datetime.UTC) + datetime.timedelta(days=self.days)
        return day.strftime(self.form)


Source = Taken | Sent | Day


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request. `path` is as sent, percent-encoded, without query; `route` its template.

    `body` is sent as `kind` says: json, form (a mapping), text, or none. Query and form have a text by name, or a list
    of texts for a name that is repeated. Values at the places of `taken` are replaced before it is sent; where the
    answer lacks them the written ones stay.
    """

    method: str
    path: str
    route: str
    query: Mapping[str, str | list[str]] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Json = None
    kind: str = NONE
    service: str = ""
    anonymous: bool = False
    """Sent without the login."""
    taken: Mapping[Place, Source] = dataclasses.field(default_factory=dict)

    def needs(self) -> set[int]:
        """The numbers of the steps that must come before it."""
        return {source.step for source in self.taken.values() if not isinstance(source, Day)}

    def filled(self, answers: Mapping[int, Json]) -> Step:
        """The step as it is sent after these answers."""
        step = self
        for place, source in self.taken.items():
            value = source.of(answers)
            if value is not None:
                step = step.with_value(place, value)
        return step

    def value(self, place: Place) -> Json:
        """What stands at a place; None when nothing does."""
        if place[0] == "path":
            return unquote(self.path.split("/")[int(place[1])])
        if place[0] == "query":
            return self.query.get(str(place[1]))
        return dig(self.body, place[1:])

    def with_value(self, place: Place, value: Json) -> Step:
        """The same with another value at a place."""
        if place[0] == "path":
            parts = self.path.split("/")
            parts[int(place[1])] = quote(text_of(value), safe="") or "%20"
            return dataclasses.replace(self, path="/".join(parts))
        if place[0] == "query":
            return dataclasses.replace(self, query={**self.query, str(place[1]): text_of(value)})
        written = text_of(value) if self.kind == FORM else value
        return dataclasses.replace(self, body=put(self.body, place[1:], written))

    def without(self, place: Place) -> Step:
        """The same without a value of its query or body."""
        kept = {other: source for other, source in self.taken.items() if other[: len(place)] != place}
        if place[0] == "query":
            query = {name: value for name, value in self.query.items() if name != place[1]}
            return dataclasses.replace(self, query=query, taken=kept)
        return dataclasses.replace(self, body=drop(self.body, place[1:]), taken=kept)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A journey as data: its name, and its requests in order."""

    name: str
    steps: tuple[Step, ...]


def joined(value: Json) -> Json:
    """The parts of an object put together; None of anything else."""
    return "".join(map(text_of, value.values())) if isinstance(value, dict) else None


def dig(value: Json, keys: Sequence[str | int]) -> Json:
    """What a document has under keys and indexes; None where it has nothing."""
    for key in keys:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def put(value: Json, keys: Sequence[str | int], new: Json) -> Json:
    """A copy of a document with another value under keys and indexes; objects on the way are made."""
    if not keys:
        return copy.deepcopy(new)
    made = copy.copy(value) if isinstance(value, dict | list) else ({} if isinstance(keys[0], str) else [])
    if isinstance(made, list):
        index = int(keys[0])
        made.extend([None] * (index + 1 - len(made)))
        made[index] = put(made[index], keys[1:], new)
    else:
        made[keys[0]] = put(made.get(keys[0]), keys[1:], new)
    return made


def drop(value: Json, keys: Sequence[str | int]) -> Json:
    """A copy of a document without what is under keys and indexes."""
    held = dig(value, keys[:-1])
    if isinstance(held, dict):
        return put(value, keys[:-1], {name: one for name, one in held.items() if name != keys[-1]})
    if isinstance(held, list):
        return put(value, keys[:-1], [one for index, one in enumerate(held) if index != keys[-1]])
    return value


def journey_name(step: Step) -> str:
    """The name of a journey of one request: get_orders_id for GET /orders/{id}."""
    words = "".join(letter if letter.isalnum() else " " for letter in f"{step.method.lower()} {step.route}").split()
    return "_".join(words)


def text_of(value: Json) -> str:
    """A value as a path, a query or a form has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_json(body: bytes) -> Json:
    """The document of an answer; None when it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def learnt(steps: Sequence[Step], answers: Sequence[Json]) -> tuple[Step, ...]:
    """Recorded steps with what they sent taken from earlier recorded answers, where it stood there first.

    Ids are meant: texts of 8 characters or more, and numbers from 1000 on.
    """
    seen: dict[str, Taken] = {}
    made = []
    for number, step in enumerate(steps):
        taken = {place: seen[text_of(value)] for place, value in _written(step) if text_of(value) in seen}
        made.append(dataclasses.replace(step, taken={**taken, **step.taken}))
        for keys, value in leaves(answers[number] if number < len(answers) else None):
            if _is_id(value):
                seen.setdefault(text_of(value), Taken(number, keys))
    return tuple(made)


def leaves(value: Json, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """The values of a document that are neither object nor list, with where they stand."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*keys, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*keys, index))
    else:
        yield keys, value


def _is_id(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return len(value) >= 8 and " " not in value if isinstance(value, str) else value >= 1000


def _written(step: Step) -> Iterator[tuple[Place, Json]]:
    for index, part in enumerate(step.path.split("/")):
        yield ("path", index), unquote(part)
    for name, text in step.query.items():
        yield ("query", name), text
    if step.kind in (JSON, FORM):
        yield from ((("body", *keys), value) for keys, value in leaves(step.body) if keys)


async def send(client: Client, step: Step, login: Mapping[str, str]) -> Response:
    """Send one step, its values filled in, as who has logged in."""
    own = {name.lower() for name in login}
    headers = {name: value for name, value in step.headers.items() if name.lower() not in own}
    if not step.anonymous:
        headers |= login
    form: Any = urlencode(step.body, doseq=True) if step.kind == FORM else None
    if step.kind == TEXT:
        form = text_of(step.body)
    return await client.request(
        step.method,
        f"{step.path}?{urlencode(step.query, doseq=True)}" if step.query else step.path,
        route=step.route,
        form=form,
        json=step.body if step.kind == JSON else None,
        headers=headers,
        host=step.service or None,
    )


def journey(name: str, steps: Sequence[Step], login: Mapping[str, str], *, weight: float = 1.0) -> Journey:
    """A journey that sends steps one after the other; answers that no later step asks for are not read."""
    asked = {source.step for step in steps for source in step.taken.values() if isinstance(source, Taken)}

    async def play(client: Client, random: Random) -> None:
        answers: dict[int, Json] = {}
        for number, step in enumerate(steps):
            answer = await send(client, step.filled(answers), login)
            if number in asked:
                answers[number] = read_json(answer.body)

    return Journey(name=name, weight=weight, play=play)
