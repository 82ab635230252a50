"""OpenAPI documents: read, checked so far as we need them, and their operations as places with schemas."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json
from pytest_anomod.workloads.script import FORM, JSON, NONE, Place, Step

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
USUAL_PATHS = ("/openapi.json", "/v3/api-docs", "/swagger.json", "/openapi.yaml")
"""Where systems tend to serve their document."""
_SLOT = re.compile(r"\{([^{}]+)\}")
_FORMS = {"application/x-www-form-urlencoded": FORM}
_DEEP = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its route, the places of its values with their schemas, and how its body is sent.

    `fields` has the leaves and lists of the body by place, as the schema declares them, a list's items under index 0.
    """

    method: str
    route: str
    places: Mapping[Place, Mapping[str, Any]]
    required: frozenset[Place]
    kind: str
    is_list: bool = False
    """Whether the body is a list."""

    @property
    def name(self) -> str:
        """What people call it: GET /orders/{id}."""
        return f"{self.method} {self.route}"

    def empty(self) -> Step:
        """A request without values, for others to fill in."""
        body: Json = None if self.kind == NONE else ([] if self.is_list else {})
        return Step(method=self.method, path=self.route, route=self.route, body=body, kind=self.kind)

    def matches(self, method: str, path: str) -> bool:
        """Whether a path is one of this operation's."""
        mine, theirs = self.route.split("/"), path.split("/")
        return (
            method == self.method
            and len(mine) == len(theirs)
            and all(a == b or _SLOT.search(a) for a, b in zip(mine, theirs, strict=True))
        )


def read_document(path: Path) -> dict[str, Any]:
    """The document of a file, JSON or YAML; ScenarioError names the file, the place, and what to do."""
    where = f"openapi:{path}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{where}: can't be read: {error}"
        raise ScenarioError(msg) from error
    return parse_document(text, where)


def parse_document(text: str, where: str) -> dict[str, Any]:
    """The same for a text that is already here; `where` is what an error calls it."""
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except ValueError as error:
            msg = f"{where}: no JSON: {error}"
            raise ScenarioError(msg) from error
    else:
        import yaml

        class Loader(yaml.SafeLoader):
            """Leaves dates as they are written: a document is JSON, which has none."""

        Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)
        try:
            document = yaml.load(text, Loader=Loader)
        except yaml.YAMLError as error:
            msg = f"{where}: neither JSON nor YAML: {' '.join(str(error).split())}"
            raise ScenarioError(msg) from error
    _check(document, where)
    return dict(document)


def _check(document: Json, where: str) -> None:
    """ScenarioError for what is no OpenAPI document with operations."""
    problem = ""
    if not isinstance(document, dict) or not ({"openapi", "swagger"} & set(document)):
        problem = "it has no `openapi: 3...` or `swagger: 2.0` at its top: is it an OpenAPI document?"
    elif not isinstance(document.get("paths"), dict) or not document["paths"]:
        problem = "paths: there are none, so there is nothing to ask for"
    else:
        for path, item in document["paths"].items():
            if not str(path).startswith("/"):
                problem = f"paths: {path!r} must begin with /"
            elif not isinstance(item, dict):
                problem = f"paths: {path}: must be an object with the methods it answers"
    if problem:
        msg = f"{where}: {problem}"
        raise ScenarioError(msg)


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """The operations of a document, in its order; of a body that may be sent in several ways, JSON or a form."""
    base = base_path(document)
    items = [(route, _resolved(document, item)) for route, item in document["paths"].items()]
    return [
        _operation(document, method.upper(), base + route, item, item[method])
        for route, item in items
        for method in METHODS
        if isinstance(item.get(method), dict)
    ]


def base_path(document: Mapping[str, Any]) -> str:
    """The path before all routes: `basePath`, or that of the first server."""
    servers = document.get("servers") or [{}]
    url = str(servers[0].get("url") or "") if isinstance(servers[0], dict) else ""
    return str(document.get("basePath") or re.sub(r"^[a-z]+://[^/]*", "", url)).rstrip("/")


def _operation(
    document: Mapping[str, Any], method: str, route: str, item: Mapping[str, Any], described: Mapping[str, Any]
) -> Operation:
    places: dict[Place, Mapping[str, Any]] = {}
    required: set[Place] = set()
    kind, is_list = NONE, False
    schema: dict[str, Any] | None = None
    forms: dict[str, Any] = {}
    for given in [*(item.get("parameters") or []), *(described.get("parameters") or [])]:
        one = _resolved(document, given)
        name, where = str(one.get("name")), one.get("in")
        about = _with_example(_resolved(document, one.get("schema") or one), one)
        if where == "path":
            parts = route.split("/")
            found: list[Place] = [("path", index) for index, part in enumerate(parts) if f"{{{name}}}" in part]
            required |= set(found)
        elif where == "query":
            found = [("query", name)]
            required |= set(found) if one.get("required") else set()
        else:
            found = []
            if where == "body":
                kind, schema = JSON, about
            elif where == "formData":
                forms[name] = about
        places |= {place: {**about, "x-name": name} for place in found}
    if forms:
        kind, schema = FORM, {"type": "object", "properties": forms}
    content = _resolved(document, described.get("requestBody") or {}).get("content") or {}
    for media, one in content.items():
        if "json" in media or media in _FORMS:
            kind = _FORMS.get(media, JSON)
            schema = _with_example(_resolved(document, one.get("schema") or {}), one)
            break
    if schema is not None:
        is_list = _type(schema) == "array"
        for place, leaf, needed in _leaves(document, schema, ("body",), _DEEP):
            places[place] = leaf
            required |= {place} if needed else set()
    return Operation(method, route, places, frozenset(required), kind, is_list)


def _leaves(
    document: Mapping[str, Any], schema: Mapping[str, Any], place: Place, deep: int
) -> Iterator[tuple[Place, Mapping[str, Any], bool]]:
    """The values of a body: (place, schema, whether it is required), objects and lists opened."""
    schema = _resolved(document, schema)
    if not deep:
        return
    if _type(schema) == "array":
        if len(place) > 1:
            yield place, {**schema, "x-name": str(place[-1])}, False
        yield from _leaves(document, schema.get("items") or {}, (*place, 0), deep - 1)
    elif schema.get("properties"):
        examples: Any = schema.get("example") if isinstance(schema.get("example"), dict) else {}
        for name, one in schema["properties"].items():
            about = _resolved(document, one)
            if name in examples:
                about = {"example": examples[name], **about}
            for found, what, needed in _leaves(document, about, (*place, name), deep - 1):
                yield found, what, needed or (found == (*place, name) and name in (schema.get("required") or ()))
    elif len(place) > 1:
        yield place, {**schema, "x-name": str(place[-1] if isinstance(place[-1], str) else place[-2])}, False


def _type(schema: Mapping[str, Any]) -> str:
    """The type of a schema, null left out; "" for one that does not say."""
    told = schema.get("type")
    if isinstance(told, list):
        told = next((one for one in told if one != "null"), "")
    return str(told or ("object" if "properties" in schema else ""))


def _with_example(schema: Mapping[str, Any], holder: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the example that stands beside it."""
    for one in (holder.get("examples") or {}).values() if isinstance(holder.get("examples"), dict) else ():
        if isinstance(one, dict) and "value" in one:
            return {**schema, "example": one["value"]}
    return {**schema, "example": holder["example"]} if "example" in holder else dict(schema)


def _resolved(document: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """An object with `$ref` followed, `allOf` merged; of `oneOf` and `anyOf` the first with the others' properties."""
    for _ in range(_DEEP):
        if not isinstance(value, dict):
            return {}
        if "$ref" in value:
            target: Any = document
            for part in str(value["$ref"]).removeprefix("#/").split("/"):
                target = target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, dict) else {}
            value = target
        elif "allOf" in value:
            merged: dict[str, Any] = {name: one for name, one in value.items() if name != "allOf"}
            for part in value["allOf"]:
                resolved = _resolved(document, part)
                merged = {
                    **resolved,
                    **merged,
                    "properties": {**(resolved.get("properties") or {}), **(merged.get("properties") or {})},
                }
            value = merged
        elif chosen := value.get("oneOf") or value.get("anyOf"):
            ways = [_resolved(document, way) for way in chosen]
            value = {**{name: one for name, one in value.items() if name not in ("oneOf", "anyOf")}, **ways[0]}
            if "properties" in value:
                value["properties"] = {name: one for way in ways for name, one in way.get("properties", {}).items()}
                value["required"] = [
                    n for n in value.get("required", ()) if all(n in w.get("required", ()) for w in ways)
                ]
        else:
            return value
    return {}
