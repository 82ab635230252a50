"""Tokens, roles and bad requests: who is let in where, and what the framework answers when no handler does."""

import base64
import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tt_system import System

from pytest_anomod.replicas.train_ticket import access

ROWS = list(csv.DictReader((Path(__file__).parent / "endpoints.csv").open()))
SPRING = [row for row in ROWS if row["path"].startswith("/api/") and row["service"] != "ts-avatar-service"]
PROTECTED = [row for row in SPRING if row["auth"] != "none"]
WRONG_TOKENS = {"admin": ["user"], "user only": ["admin"]}
CONFIGS = "/api/v1/configservice/configs"


def _target(row: dict[str, str]) -> tuple[str, str]:
    return re.sub(r"\{\w+\}", "1", row["path"]), "" if row["routed"] == "yes" else row["service"]


def _named(row: dict[str, str]) -> str:
    return f"{row['method']} {row['path']}"


def _assert_framework(answer: Any, status: int, path: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", body.pop("timestamp"))
    error = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}.get(status)
    assert body == {"status": status, "error": error or body["error"], "message": "", "path": path}


@pytest.mark.parametrize("row", PROTECTED, ids=_named)
def test_a_protected_endpoint_refuses_who_has_no_token_or_the_wrong_role(system: System, row: dict[str, str]) -> None:
    """403 in the framework's form, before anything else is looked at."""
    path, service = _target(row)
    for token in [None, *WRONG_TOKENS.get(row["auth"], [])]:
        _assert_framework(system.ask(row["method"], path, token=token, service=service), 403, path)


@pytest.mark.parametrize("row", [row for row in SPRING if row["auth"] == "none"], ids=_named)
def test_an_open_endpoint_asks_for_no_token(system: System, row: dict[str, str]) -> None:
    """No 403, even for a request that is wrong in other ways."""
    path, service = _target(row)
    assert system.ask(row["method"], path, token=None, service=service).status_code != 403


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        access.issue("i", "n", ["ROLE_ADMIN"], now_s=1.0),
        access.issue("i", "n", ["ROLE_USER"])[:-2] + "xx",
    ],
    ids=["no token", "no JSON", "expired", "badly signed"],
)
@pytest.mark.parametrize("path", [CONFIGS, "/api/v1/contactservice/contacts", "/api/v1/userservice/users/hello"])
def test_a_bad_token_is_refused_on_open_paths_too(system: System, token: str, path: str) -> None:
    """403 with an empty body, from the filter that reads tokens."""
    answer = system.get(path, token=token)
    assert (answer.status_code, answer.content) == (403, b"")


def test_a_header_of_another_scheme_is_no_token(system: System) -> None:
    """Open paths work, protected ones say 403."""
    headers = {"Authorization": "Basic eDp5"}
    assert system.get(CONFIGS, headers=headers).status_code == 200
    path = "/api/v1/contactservice/contacts"
    _assert_framework(system.get(path, headers=headers), 403, path)


def test_a_token_holds_name_roles_and_id_for_30_days(system: System) -> None:
    """The claims clients of the original read."""
    claims = json.loads(base64.urlsafe_b64decode(system.tokens["user"].split(".")[1] + "=="))
    assert claims["sub"] == "fdse_microservice"
    assert claims["roles"] == ["ROLE_USER"]
    assert claims["id"] == "4d2a46c7-71cb-4cf1-b5bb-b68406d9da6f"
    assert claims["exp"] - claims["iat"] == 2_592_000


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("", "application/json", 400),
        ("null", "application/json", 400),
        ("[]", "application/json", 400),
        ('"x"', "application/json", 400),
        ('{"name": {}}', "application/json", 400),
        ('{"name": ["x"]}', "application/json", 400),
        ("{}", "text/plain", 415),
        ("name=x", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_bad_body(system: System, data: str, content_type: str, status: int) -> None:
    """Broken JSON, no body and wrong types are 400, other content types 415."""
    answer = system.ask("PUT", CONFIGS, data=data, headers={"Content-Type": content_type})
    _assert_framework(answer, status, CONFIGS)


@pytest.mark.parametrize(
    ("value", "kept"),
    [("7", 7), (7.9, 7), (None, 0), ("", 0), ("x", None), (True, None), ([], None), (2**31, None), ("-5", -5)],
)
def test_how_numbers_are_read(system: System, value: Any, kept: int | None) -> None:
    """Text of a number is one, fractions are cut off, null is 0; everything else is 400."""
    path = "/api/v1/trainservice/trains"
    answer = system.ask("POST", path, {"name": "", "economyClass": value})
    if kept is None:
        _assert_framework(answer, 400, path)
    else:
        assert answer.json()["data"]["economyClass"] == kept


def test_unknown_fields_are_ignored_and_scalars_become_text(system: System) -> None:
    """As the object mapper of the original does."""
    answer = system.ask("PUT", CONFIGS, {"name": 1.5, "value": True, "more": {"x": 1}})
    assert answer.json()["msg"] == "Config 1.5 doesn't exist."


def test_wrong_methods_and_unknown_paths(system: System) -> None:
    """405 names what is allowed, 404 inside a service is the service's, 404 at the gateway is the gateway's."""
    answer = system.ask("PATCH", CONFIGS)
    _assert_framework(answer, 405, CONFIGS)
    assert set(answer.headers["allow"].split(",")) == {"GET", "HEAD", "POST", "PUT", "OPTIONS"}
    _assert_framework(system.get("/api/v1/configservice/nothing"), 404, "/api/v1/configservice/nothing")
    path = "/api/v1/contactservice/nothing"
    _assert_framework(system.get(path), 403, path)
    _assert_framework(system.get(path, token="user"), 404, path)
    for path in ("/api/v1/unknown", "/api/v1/userservice/x", "/api/v1/waitorderservice/orders", "/"):
        body = system.get(path).json()
        assert (body["status"], body["path"], body["message"]) == (404, path, None)
        assert body["requestId"]


def test_a_slash_at_the_end_is_accepted_and_case_matters(system: System) -> None:
    """Paths as Spring matches them."""
    assert system.get(f"{CONFIGS}/").json()["status"] == 1
    assert system.get(CONFIGS.replace("configs", "Configs")).status_code == 404


def test_a_service_that_is_stopped_or_dead_behind_the_gateway(system: System) -> None:
    """503 in the gateway's form when no instance is known; the rest of the system goes on."""
    with system.stopped("ts-config-service"):
        answer = system.get(CONFIGS)
        assert answer.status_code == 503
        assert answer.json()["error"] == "Service Unavailable"
        assert system.get("/api/v1/trainservice/trains").status_code == 200
    assert system.get(CONFIGS).status_code == 200


def test_a_callee_that_is_gone_makes_its_caller_answer_500(system: System) -> None:
    """No retries, no circuit breaker."""
    path = "/api/v1/adminbasicservice/adminbasic/configs"
    with system.stopped("ts-config-service"):
        answer = system.get(path)
        assert answer.status_code == 500
        assert answer.json()["error"] == "Internal Server Error"
    assert system.get(path).status_code == 200


def test_administration_of_basic_data_takes_20_requests_a_second(system: System) -> None:
    """More are 429 at the gateway; others are not limited."""
    path = "/api/v1/adminbasicservice/welcome"
    statuses = [system.get(path, token="admin", patient=False).status_code for _ in range(40)]
    assert 429 in statuses
    assert statuses[0] == 200
