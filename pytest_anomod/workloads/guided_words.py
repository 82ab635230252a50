"""What names of fields mean: their words, how well two names agree, days, and values that a name or a text suggests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.workloads.script import Day, Place

Words = frozenset[str]

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SAME = {
    word: meant
    for meant, words in {
        "start": ("from", "begin", "origin", "source", "departure"),
        "end": ("to", "terminal", "dest", "destination", "arrival", "stop"),
        "user": ("account", "login", "owner", "member", "customer", "uid"),
        "number": ("num", "no", "nr"),
    }.items()
    for word in words
}
"""Words of names that mean the same in most interfaces."""
_NO_RESOURCE = frozenset({"api", "v", "1", "2", "3", "service", "services", "rest"})
_ENDS = frozenset({"start", "end"})
_SAYS_LITTLE = frozenset({"id", "name", "number", "type", "info", "value", "code", "index"})
"""Words that many fields share that mean different things."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?")
_DAY_LIKE = re.compile(r"\d[-:/]\d")
_PROSE = frozenset({"text", "content", "message", "msg", "comment", "description", "body", "title", "post", "note"})
_DAYS = (1, 1, 1, 2, 2, 7, 7, 0, -1)
_DAY_WORDS = frozenset({"date", "day", "time"})
_EXAMPLE = re.compile(
    r"(?i)(?:such as|e\.g\.,?|for instance,?|for example,?|example:)\s+(\[[^\]]*\]|\"[^\"]*\"|'[^']*'|`[^`]*`|[^\s,;]+)"
)
PASSWORD = "Explored-1a"
"""The one password of all accounts that are made, so that they can log in."""


def words(name: str) -> Words:
    """The words of a name in any of the usual spellings, small, without a plural's s, and one word for one meaning."""
    found = (word.lower() for word in _WORDS.findall(name))
    single = (word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word for word in found)
    return frozenset(_SAME.get(word, word) for word in single)


def words_of_route(route: str) -> Words:
    """The words of a route's fixed segments, `service` at their end left out."""
    fixed = [part for part in route.split("/") if part and not part.startswith("{")]
    return frozenset().union(*(words(re.sub(r"(?i)service$", "", part)) for part in fixed)) - _NO_RESOURCE


def likeness(wanted: Words, around: Words, name: Words, resource: Words) -> float:
    """How well a seen value's name agrees with a field's: 0 not at all, 3 and more for the same thing.

    `around` and `resource` are the words of what the two names belong to. A field that is named after a resource's id
    takes it from that resource's answers, as RESTler infers producers of values (Atlidakis et al., ICSE 2019).
    """
    shared = wanted & name
    if wanted & _ENDS and name & _ENDS and not shared & _ENDS:
        return -2.0  # from is never meant by where something ends
    if wanted == name:
        return (3.0 if wanted != {"id"} else 1.0) + len(around & resource) / (1 + len(around))
    if name and name < wanted and wanted - name <= resource:
        return 2.9  # contactsId, and the id of a contact
    if wanted and wanted < name and name - wanted <= around:
        return 2.8  # an id below /orders, and orderId
    if shared - _SAYS_LITTLE:
        return 0.5 + len(shared) / len(wanted | name) + 0.3 * bool(around & resource) + 0.8 * bool(shared & _ENDS)
    return 0.3 if shared or (wanted & resource and name == {"id"}) else 0.0


def fits(value: Json, schema: Mapping[str, Any], place: Place) -> bool:
    """Whether a value may stand at a place by its type."""
    told = schema.get("type")
    kinds = set(told) if isinstance(told, list) else {told}
    if isinstance(value, dict):
        return "object" in kinds
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


def may_mean(wanted: Words, value: Json) -> bool:
    """Whether a value may be what a name says: a text for a day or a time, and no other, looks like one."""
    if not isinstance(value, str):
        return True
    if wanted & _DAY_WORDS:
        return _DAY_LIKE.search(value) is not None
    return _DAY.fullmatch(value) is None


def day_for(wanted: Words, value: Json, random: Random) -> Day | None:
    """A day near today in the form of a value that is one, or for a name that means one; most are still to come."""
    if isinstance(value, str) and (found := _DAY.fullmatch(value)):
        clock_part = found[1] or ""
        form = {0: "", 6: "%H:%M"}.get(len(clock_part), "%H:%M:%S")
        return Day(random.choice(_DAYS), f"%Y-%m-%d{clock_part[:1]}{form}")
    if wanted & _DAY_WORDS:
        return Day(random.choice(_DAYS), random.choice(("%Y-%m-%d", "%Y-%m-%d %H:%M:%S")))
    return None


def is_prose(wanted: Words) -> bool:
    """Whether a field has what people write to each other."""
    return bool(wanted & _PROSE)


def is_password(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether a field is a text that has a secret, as an account's password."""
    return is_secret_name(name) and schema.get("type") in (None, "string", ["string", "null"])


def given(schema: Mapping[str, Any]) -> list[Json]:
    """Values that a document itself gives for a field; of one without, what its description says after "such as"."""
    told = [schema[word] for word in ("example", "default", "const") if schema.get(word) is not None]
    examples = schema.get("examples")
    told += [*(examples if isinstance(examples, list) else ()), *(schema.get("enum") or ())]
    if told or not isinstance(schema.get("description"), str):
        return told
    return [_read(text.strip("\"'`").rstrip("."), schema) for text in _EXAMPLE.findall(schema["description"])]


def _read(text: str, schema: Mapping[str, Any]) -> Json:
    if schema.get("type") in (None, "string"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
