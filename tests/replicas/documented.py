"""Holds answers against the OpenAPI document of the gateway that gave them: status, content type, a body as told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs


class Documented:
    """The operations of a document, by method and path."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = _plain(document.get("components", {}))
        self._operations = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "/?"), path.count("{"), verb.upper(), operation)
            for path, item in document["paths"].items()
            for verb, operation in item.items()
        ]
        self._operations.sort(key=lambda entry: entry[1])  # who has no variable goes before who has one

    def check(self, verb: str, path: str, answer: Any) -> None:
        """AssertionError for an answer that the document does not foresee; other paths than its own are not asked."""
        operation = self._operation(verb, path.partition("?")[0])
        if operation is None:
            return
        said = f"{verb} {path}: {answer.status_code} {answer.headers.get('Content-Type')} {answer.text[:80]!r}"
        response = operation["responses"].get(str(answer.status_code))
        assert response is not None, f"{said}: its document has the statuses {sorted(operation['responses'])}"
        content = response.get("content")
        if content is None:
            assert not answer.content or "body" in response["description"], f"{said}: its document has no body"
            return
        if not answer.content:
            assert "no body" in response["description"], f"{said}: its document has a body"
            return
        media = answer.headers["Content-Type"].partition(";")[0]
        kinds = {kind.partition(";")[0]: described for kind, described in content.items()}
        assert media in kinds, f"{said}: its document has {sorted(kinds)}"
        if "schema" in kinds[media]:
            schema = {"allOf": [_plain(kinds[media]["schema"])], "components": self._components}
            wrong = [error.message for error in jsonschema_rs.Draft4Validator(schema).iter_errors(answer.json())]
            assert not wrong, f"{said}: its document has {wrong}"

    def _operation(self, verb: str, path: str) -> Any:
        for shape, _, known, operation in self._operations:
            if known == verb and shape.fullmatch(path):
                return operation
        return None


def _plain(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 as one of JSON Schema: what is nullable may be null."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(one) for name, one in schema.items() if name != "nullable"}
    return plain | {"type": [schema["type"], "null"]} if schema.get("nullable") else plain
