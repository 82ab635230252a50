"""The OpenAPI document of the gateway: every endpoint is in it, and answers as it says there."""

import re
from typing import Any

import pytest
from sn_answers import cookie_of
from sn_system import System

from pytest_anomod.replicas.social_network.nginx_thrift import Gateway
from pytest_anomod.replicas.social_network.openapi import EMPTY, OPERATIONS, Operation, document

BY_ID = {f"{operation.method} {operation.path}": operation for operation in OPERATIONS}
VALUES = {
    "first_name": "Ada", "last_name": "B", "username": "openapi_ada", "password": "pw", "user_id": "12", "text": "hi",
    "post_type": "0", "start": "0", "stop": "5", "followee_id": "13", "user_name": "username_12",
    "followee_name": "username_13",
}  # fmt: skip


def test_every_endpoint_of_the_gateway_is_in_the_document():
    marked = [getattr(member, "http_routes", ()) for member in vars(Gateway).values()]
    routed = {path for routes in marked for _, path, _ in routes if "{" not in path}
    assert routed - {"/openapi.json"} == set(document()["paths"])


def test_the_gateway_serves_the_document(system: System):
    answer = system.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == document(system.url)
    assert answer.json()["openapi"].startswith("3.")


@pytest.mark.parametrize("name", BY_ID)
def test_an_endpoint_answers_as_documented(system: System, name: str):
    """What is asked as the document says is no failure; what is left out, or who is not logged in, is one as listed."""
    operation = BY_ID[name]
    cookie = cookie_of(12, "username_12")
    if operation.path == "/api/user/login":
        system.post("/api/user/register", VALUES)  # a known name is no failure there
    whole = _ask(system, operation, cookie)
    assert _is_documented(operation, whole), (whole.status_code, whole.headers, whole.text)
    assert whole.status_code in (200, 302), whole.text
    if operation.fields or operation.either:
        empty = _ask(system, operation, cookie, left_out=True)
        assert empty.status_code == 400
        assert _is_documented(operation, empty), empty.headers
    if operation.login:
        for headers in ({}, {"Cookie": "login_token=no.good.token"}):
            refused = _ask(system, operation, headers)
            assert refused.status_code in (302, 401)
            assert _is_documented(operation, refused), (refused.status_code, refused.headers)


@pytest.mark.parametrize("path", ["/wrk2-api/user/follow", "/wrk2-api/user/unfollow"])
def test_a_name_with_a_nul_character_is_only_unknown(system: System, path: str):
    """MongoDB keeps such texts; that PostgreSQL does not must not show."""
    answer = system.post(path, {"user_name": "a\0b", "followee_name": "username_1"})
    assert answer.status_code == 500
    assert re.match(r"(Unf|F)ollow Failed: User: a.b is not registered\n", answer.text)


def test_a_post_with_a_nul_character_is_stored(system: System):
    assert system.compose(77, "null\0and \\u0000 void").status_code == 200
    assert system.read("user", 77).json()[0]["text"] == "null␀and \\u0000 void"


def _ask(system: System, operation: Operation, headers: dict[str, str], *, left_out: bool = False) -> Any:
    names = operation.fields or (operation.either[0] if operation.either else ())
    fields = {name: VALUES[name] for name in (names[:-1] if left_out else names)}
    if operation.method == "GET":
        return system.get(operation.path, params=fields, headers=headers)
    return system.post(operation.path, fields, headers=headers)


def _is_documented(operation: Operation, answer: Any) -> bool:
    content_type = answer.headers["Content-Type"] if answer.content else EMPTY
    return (answer.status_code, content_type) in operation.answers
