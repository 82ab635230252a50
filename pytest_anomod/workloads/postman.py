"""Postman collections (v2.0, v2.1) as journeys: a folder is one, so is a request outside of folders; no scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads._web_files import kept_headers, load_json, read_body
from pytest_anomod.workloads.script import FORM, NONE, TEXT, Script, Step, learnt, read_json
from pytest_anomod.workloads.suite_wire import route_of

_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


def read_collection(path: Path) -> list[Script]:
    """The journeys of a collection, its own variables filled in; hosts don't count, all goes to the system's entry.

    A request with a variable that the collection has no value for (scripts would set it) can't be sent: ScenarioError
    names it when nothing else is left. Ids of saved example answers are taken from the answers of the replay.
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
    unknown: list[str] = []
    scripts = []
    for name, found in _journeys(document["item"], where):
        steps, answers = [], []
        for place, item in found:
            step, missing = _step(item, variables, place)
            if missing:
                unknown.append(f"{place} needs {', '.join(sorted(missing))}")
            else:
                steps.append(step)
                answers.append(_example(item))
        if steps:
            scripts.append(Script(name=name, steps=learnt(steps, answers)))
    if not scripts:
        why = f"give values in the collection's variables: {'; '.join(unknown[:5])}" if unknown else "it has no request"
        msg = f"{where}: nothing in it can be sent: {why}"
        raise ScenarioError(msg)
    return scripts


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


def _step(item: Mapping[str, Any], variables: Mapping[str, str], place: str) -> tuple[Step, set[str]]:
    """The request of an item, and the variables that nobody gives a value."""
    request = item["request"]
    if isinstance(request, str):
        request = {"method": "GET", "url": request}
    try:
        url = request["url"] if isinstance(request["url"], str) else str(request["url"]["raw"])
        method = str(request.get("method") or "GET").upper()
        given = request.get("header") or ()
        headers = kept_headers((one["key"], str(one.get("value", ""))) for one in given if not one.get("disabled"))
        kind, body, media = _body(request.get("body") or {}, variables)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"{place}.request: no request as Postman has it: {type(error).__name__}: {error}"
        raise ScenarioError(msg) from error
    parts = urlsplit(re.sub(r"^(\{\{[^{}]+\}\}|[a-z]+://[^/]*)", "http://entry", url))
    path = _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), parts.path or "/")
    path = re.sub(r"/:(\w+)", lambda found: "/" + _path_variable(request["url"], found[1]), path)
    step = Step(
        method=method,
        path=path,
        route=route_of(path),
        query={name: _filled(text, variables) for name, text in parse_qsl(parts.query, keep_blank_values=True)},
        headers={name: _filled(text, variables) for name, text in headers.items()}
        | ({"Content-Type": media} if kind == TEXT and media else {}),
        body=body,
        kind=kind,
    )
    missing = {name for text in (path, str(dict(step.query)), str(step.body)) for name in _VARIABLE.findall(text)}
    return step, missing


def _body(body: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, Json, str]:
    """How a body is sent, what it is with its variables filled in, and its media type."""
    mode = body.get("mode")
    if mode == "urlencoded":
        pairs = {
            one["key"]: _filled(str(one.get("value", "")), variables)
            for one in body["urlencoded"]
            if not one.get("disabled")
        }
        return FORM, pairs, ""
    if mode == "raw":
        language = ((body.get("options") or {}).get("raw") or {}).get("language", "")
        text = _filled(str(body.get("raw") or ""), variables)
        return *read_body(text, "application/json" if language == "json" else ""), "text/plain"
    return NONE, None, ""


def _path_variable(url: Any, name: str) -> str:
    """The value of a :name in a path."""
    given = url.get("variable") or () if isinstance(url, dict) else ()
    return next((str(one.get("value", "")) for one in given if one.get("key") == name), f"{{{{{name}}}}}")


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]), text)


def _example(item: Mapping[str, Any]) -> Json:
    """The document of the first saved answer."""
    saved = item.get("response") or ()
    return read_json(str(saved[0].get("body") or "").encode()) if saved and isinstance(saved[0], dict) else None
