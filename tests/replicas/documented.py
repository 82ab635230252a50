"""Holds answers against the OpenAPI document of the gateway that gave them: status, content type, a body or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


class Documented:
    """The operations of a document, by method and path."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas = document.get("components", {}).get("schemas", {})
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
        self._check_fields(kinds[media].get("schema", {}), answer, said)

    def _check_fields(self, schema: Mapping[str, Any], answer: Any, said: str) -> None:
        """That the fields which the document requires are there."""
        wanted = self._schemas[schema["$ref"].rpartition("/")[2]]["required"] if "$ref" in schema else []
        assert {*wanted} <= {*(answer.json() if wanted else ())}, f"{said}: its document requires {wanted}"

    def _operation(self, verb: str, path: str) -> Any:
        for shape, _, known, operation in self._operations:
            if known == verb and shape.fullmatch(path):
                return operation
        return None
