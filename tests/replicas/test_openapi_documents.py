"""The OpenAPI documents of both replicas: what black-box tools need of them, and formats that they know."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from documented import Documented

from pytest_anomod.replicas.social_network import openapi as social_network
from pytest_anomod.replicas.train_ticket import openapi as train_ticket

URL = "http://127.0.0.1:8080"
FORMATS = {"int32", "int64", "float", "double", "byte", "binary", "date", "date-time", "password", "uuid"}
"""Those of OpenAPI 3.0, and one that all tools know."""


@pytest.fixture(scope="module", params=[social_network, train_ticket], ids=["social_network", "train_ticket"])
def document(request) -> dict[str, Any]:
    return request.param.document(URL)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation with its name."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            yield f"{verb} {path}", operation


def under(value: Any, key: str) -> Iterator[Any]:
    """What stands under a key, anywhere in a document."""
    for name, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if name == key:
            yield one
        yield from under(one, key)


def test_its_server_is_where_it_was_asked(document):
    assert document["servers"] == [{"url": URL}]


def test_each_operation_says_who_may_call_it(document):
    schemes = document["components"]["securitySchemes"]
    wanted = [operation["security"] for _, operation in operations(document)]
    assert {name for one in wanted for way in one for name in way} == set(schemes)
    assert [] in wanted


def test_each_error_has_a_content_unless_it_has_no_body(document):
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and "no body" not in answer["description"]:
                assert answer.get("content"), f"{name}: {status}"


def test_formats_and_references_are_known(document):
    formats = {one for one in under(document, "format") if isinstance(one, str)}
    assert formats
    assert formats <= FORMATS
    known = {f"#/components/schemas/{name}" for name in document["components"].get("schemas", ())}
    assert set(under(document, "$ref")) == known


def test_operations_have_names_of_their_own(document):
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names) > 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [({}, ""), ({"message": None}, ""), ({"status": "404"}, 'its document has .*"404" is not of type'),
     ({"error": None}, "null is not of type"), ({"path": ...}, '"path" is a required property')],
)  # fmt: skip
def test_an_answer_is_held_against_the_whole_schema(changes, said):
    """Types, too; the conformance tests check each answer so."""
    failure = {"timestamp": "now", "status": 404, "error": "Not Found", "message": "", "path": "/x"} | changes
    content = {name: value for name, value in failure.items() if value is not ...}
    answer = SimpleNamespace(
        status_code=404, headers={"Content-Type": "application/json"}, text="", content=b"{}", json=lambda: content
    )
    path = "/api/v1/adminbasicservice/adminbasic/contacts"
    documented = Documented(train_ticket.document())
    if not said:
        documented.check("GET", path, answer)
        return
    with pytest.raises(AssertionError, match=said):
        documented.check("GET", path, answer)
