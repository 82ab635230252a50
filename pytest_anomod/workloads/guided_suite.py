"""Writes what exploring kept as a Python test suite, which replays like any other: a test for each kept request."""

from __future__ import annotations

import json
import keyword
import pprint
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from pytest_anomod.model.fault import Json
from pytest_anomod.model.redact import REDACTED, redact_body
from pytest_anomod.workloads.guided import Kept, chain
from pytest_anomod.workloads.login_proxy import placeholders
from pytest_anomod.workloads.script import FORM, JSON, NONE, Day, Place, Sent, Step, Taken

_HEAD = '''"""{title}

Each test sends one request that added something, after those from whose answers it takes values. Run it with
ANOMOD_BASE_URL, the entry's URL; the login is a placeholder, in whose place a replay puts a fresh one.
"""

import datetime
import os

import requests

BASE_URL = os.environ.get("ANOMOD_BASE_URL", "{base}")
LOGIN = {login}


def send(method, path, *, login=True, **options):
    """Send one request, as who is logged in or as nobody."""
    headers = LOGIN if login else {{}}
    return requests.request(method, BASE_URL + path, headers=headers, timeout=30, allow_redirects=False, **options)


def at(answer, *keys, otherwise):
    """A value of an answer, of a shorter list its last; what was there when this was written where it is missing."""
    try:
        value = answer.json()
        for key in keys:
            value = value[min(key, len(value) - 1)] if isinstance(value, list) else value[key]
        return otherwise if value is None else value
    except (ValueError, LookupError, TypeError):
        return otherwise


def joined(value):
    """The parts of an object put together."""
    return "".join(map(str, value.values())) if isinstance(value, dict) else value


def day(days, form):
    """A day counted from today."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime(form)
'''


CHANGES = ("PUT", "PATCH", "DELETE")


def write_suite(
    path: Path, kept: Sequence[Kept], *, system: str, base: str, login: Mapping[str, str], changes: bool = False
) -> int:
    """Write the suite; how many tests it has. The login's secrets are placeholders in it.

    With `changes` those that update or delete, without it all others: in one suite, played again and again, the former
    would spoil what the latter need.
    """
    told = [one for one in kept if one.answer.status and one.adds and (one.step.method in CHANGES) == changes]
    title = f"What exploring {system} kept: {len(told)} requests."
    text = _HEAD.format(title=title, base=base, login=json.dumps(placeholders(login)))
    names: dict[str, int] = {}
    for one in told:
        text += _test(kept, one, names)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return len(told)


def _test(kept: Sequence[Kept], one: Kept, names: dict[str, int]) -> str:
    numbers = chain(kept, [one.number])
    name = _name(one.step, names)
    why = f"{one.new_lines} new lines" if one.new_lines else "a new outcome"
    says = f", {one.envelope}" if one.envelope else ""
    lines = [f"\n\ndef test_{name}():", f'    """{one.answer.status}{says}: {why}."""']
    lines += [f"    a{number} = {_call(kept[number].step)}" for number in numbers]
    lines.append(f"    assert a{one.number}.status_code == {one.answer.status}")
    return "\n".join(lines) + "\n"


def _name(step: Step, names: dict[str, int]) -> str:
    words = re.sub(r"[\W_]+", "_", f"{step.method}_{re.sub(r'{[^}]*}', 'x', step.route)}".lower()).strip("_")
    names[words] = names.get(words, 0) + 1
    name = f"{words}_{names[words]}"
    return name if not keyword.iskeyword(name) else f"{name}_"


def _call(step: Step) -> str:
    """The expression that sends a step."""
    parts = []
    for index, part in enumerate(step.path.split("/")):
        source = _taken(step, ("path", index))
        taken = "" if source is None else _source(source, unquote(part))
        parts.append(f"requests.utils.quote(str({taken}), safe='')" if taken else repr(part))
    fixed = all(_taken(step, ("path", index)) is None for index in range(len(parts)))
    path = repr(step.path) if fixed else f"'/'.join([{', '.join(parts)}])"
    words = [repr(step.method), path]
    if step.query:
        words.append(f"params={_rendered(step.query, ('query',), step)}")
    if step.kind != NONE:
        option = {JSON: "json", FORM: "data"}.get(step.kind, "data")
        words.append(f"{option}={_rendered(_clean(step.body), ('body',), step)}")
    if step.anonymous:
        words.append("login=False")
    return f"send({', '.join(words)})"


def _clean(body: Json) -> Json:
    """A body without secrets."""
    text, _ = redact_body(json.dumps(body).encode(), 1 << 24)
    try:
        return json.loads(text)
    except ValueError:
        return REDACTED


def _rendered(value: Json, place: tuple[str | int, ...], step: Step) -> str:
    """A value as Python, with those taken from answers as expressions."""
    source = _taken(step, place)
    if source is not None:
        return _source(source, value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{name!r}: {_rendered(one, (*place, name), step)}" for name, one in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_rendered(one, (*place, index), step) for index, one in enumerate(value)) + "]"
    return pprint.pformat(value, width=10**9)


def _taken(step: Step, place: Place) -> Taken | Day | None:
    """What is put at a place when it is sent; None where the written value stays."""
    source = step.taken.get(place)
    return None if isinstance(source, Sent) else source


def _source(source: Taken | Day, otherwise: Json) -> str:
    if isinstance(source, Day):
        return f"day({source.days}, {source.form!r})"
    keys = "".join(f", {key!r}" for key in source.keys)
    taken = f"at(a{source.step}{keys}, otherwise={otherwise!r})"
    return f"joined({taken})" if source.joined else taken
