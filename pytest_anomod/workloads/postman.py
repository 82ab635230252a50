"""Postman collections (v2.0, v2.1) as journeys: a folder is one, so is a request outside of folders; no scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads._web_files import grouped, kept_headers, load_json, read_body
from pytest_anomod.workloads.script import FORM, JSON, NONE, TEXT, Script, Step, learnt, read_json
from pytest_anomod.workloads.suite_wire import route_of

_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_HOST = re.compile(r"(?:[^/?#]*://)?[^/?#]*")
"""Scheme and host at the beginning of a URL, or a variable in their place that has no value."""
_DEEP = 5
"""So often variables are filled in that stand in the values of others."""


def read_collection(path: Path) -> tuple[list[Script], list[str]]:
    """The journeys of a collection, its own variables filled in; and which requests are not in them, and why.

    Hosts don't count, all goes to the system's entry; the path of a base URL does. A request can't be sent that has a
    variable without a value in the collection (scripts would set it), or a body of a kind that we don't send:
    ScenarioError says so when nothing else is left. Ids of saved examples are taken from the answers of the replay.
    """
    where = f"postman:{path}"
    document = load_json(path, where)
    if not isinstance(document, dict) or not isinstance(document.get("item"), list):
        msg = f"{where}: it has no list `item`: export it from Postman as Collection v2.1"
        raise ScenarioError(msg)
    variables = {
        str(one.get("key") or one.get("id")): str(one.get("value", ""))
        for one in document.get("variable") or ()
        if isinstance(one, dict)
    }
    left_out: list[str] = []
    scripts = []
    for name, found in _journeys(document["item"], where):
        steps, answers = [], []
        for place, item in found:
            step, why_not = _step(item, variables, place)
            if why_not:
                left_out.append(f"{place} {why_not}")
            else:
                steps.append(step)
                answers.append(_example(item))
        if steps:
            scripts.append(Script(name=name, steps=learnt(steps, answers)))
    if not scripts:
        why = "; ".join(left_out[:5]) or "it has no request"
        msg = f"{where}: nothing in it can be sent: {why}"
        raise ScenarioError(msg)
    return scripts, left_out


def _journeys(items: list[Any], where: str) -> Iterator[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    for number, item in enumerate(items):
        place = f"{where}: item[{number}]"
        if not isinstance(item, dict):
            msg = f"{place}: must be an object"
            raise ScenarioError(msg)
        name = re.sub(r"\W+", "_", str(item.get("name") or f"item {number}")).strip("_").lower() or f"item_{number}"
        requests = list(_requests(item, place))
        if requests:
            yield name, requests


def _requests(item: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The requests of an item and of all items in it, with their places."""
    if not isinstance(item, dict):
        msg = f"{place}: must be an object"
        raise ScenarioError(msg)
    if "request" in item:
        yield place, item
    for number, inner in enumerate(item.get("item") or ()):
        yield from _requests(inner, f"{place}.item[{number}]")


def _step(item: Mapping[str, Any], variables: Mapping[str, str], place: str) -> tuple[Step, str]:
    """The request of an item, and why it can't be sent; "" where it can."""
    request = item["request"]
    if isinstance(request, str):
        request = {"method": "GET", "url": request}
    try:
        url = request["url"] if isinstance(request["url"], str) else str(request["url"]["raw"])
        method = str(request.get("method") or "GET").upper()
        given = request.get("header") or ()
        headers = kept_headers((one["key"], str(one.get("value", ""))) for one in given if not one.get("disabled"))
        given_body = request.get("body") or {}
        kind, body, media = _body(given_body, variables)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"{place}.request: no request as Postman has it: {type(error).__name__}: {error}"
        raise ScenarioError(msg) from error
    parts = urlsplit(_HOST.sub("http://entry", _filled(url, variables), count=1))
    path = re.sub(r"/:(\w+)", lambda found: "/" + _path_variable(request["url"], found[1]), parts.path or "/")
    path = _filled(path, variables)
    step = Step(
        method=method,
        path=path,
        route=route_of(path),
        query=grouped(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name: _filled(text, variables) for name, text in headers.items()}
        | ({"Content-Type": media} if kind == TEXT and media else {}),
        body=body,
        kind=kind,
    )
    if kind == NONE and (mode := _unsent(given_body)):
        return step, f"has a body of mode {mode!r}, which is not sent: of bodies, raw, urlencoded and graphql are"
    written = (path, str(dict(step.query)), str(dict(step.headers)), str(step.body))
    missing = {name for text in written for name in _VARIABLE.findall(text)}
    needs = ", ".join(sorted(missing))
    return step, f"needs {needs}: give values in the collection's variables" if missing else ""


def _body(body: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, Json, str]:
    """How a body is sent, what it is with its variables filled in, and its media type."""
    mode = "" if body.get("disabled") else body.get("mode")
    if mode == "urlencoded":
        pairs = (
            (one["key"], _filled(str(one.get("value", "")), variables))
            for one in body["urlencoded"]
            if not one.get("disabled")
        )
        return FORM, grouped(pairs), ""
    if mode == "raw":
        language = ((body.get("options") or {}).get("raw") or {}).get("language", "")
        text = _filled(str(body.get("raw") or ""), variables)
        return *read_body(text, "application/json" if language == "json" else ""), "text/plain"
    if mode == "graphql" and (asked := body.get("graphql")):
        _, given = read_body(_filled(str(asked.get("variables") or "{}"), variables), "application/json")
        return JSON, {"query": _filled(str(asked["query"]), variables), "variables": given}, ""
    return NONE, None, ""


def _unsent(body: Mapping[str, Any]) -> str:
    """The mode of a body that has something in it and is not sent; "" where there is none."""
    mode = str(body.get("mode") or "")
    return mode if mode not in ("raw", "urlencoded") and body.get(mode) and not body.get("disabled") else ""


def _path_variable(url: Any, name: str) -> str:
    """The value of a :name in a path."""
    given = url.get("variable") or () if isinstance(url, dict) else ()
    return next((str(one.get("value", "")) for one in given if one.get("key") == name), f"{{{{{name}}}}}")


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """A text with the values of variables; those without one stay as they are written."""
    for _ in range(_DEEP):
        text = _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)
    return text


def _example(item: Mapping[str, Any]) -> Json:
    """The document of the first saved answer."""
    saved = item.get("response") or ()
    return read_json(str(saved[0].get("body") or "").encode()) if saved and isinstance(saved[0], dict) else None
