"""Calls that get no answer: users see 500, the log says what the original's client would say."""

import pytest
from tt_system import System

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.train_ticket.calls import lost_text

LOGIN = {"username": "fdse_microservice", "password": "111111", "verificationCode": "1234"}
PEER = "ts-verification-code-service"


def test_a_name_that_can_not_be_resolved_is_an_unknown_host(system: System) -> None:
    """In the log of the caller; its own caller learns nothing but the status."""
    with system.stopped(PEER):
        answer = system.post("/api/v1/users/login", LOGIN)
    assert (answer.status_code, answer.json()["message"]) == (500, "")
    line = next(line for line in reversed(system.logs("ts-auth-service")) if line["severity_text"] == "ERROR")
    assert f'I/O error on GET request for "http://{PEER}/api/v1/verifycode/verify/1234"' in line["body"]
    assert f"java.net.UnknownHostException: {PEER}" in line["body"]
    assert system.post("/api/v1/users/login", LOGIN).status_code == 200


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("resolve", "java.net.UnknownHostException: peer"),
        ("refused", "java.net.ConnectException"),
        ("closed", "java.net.SocketException"),
        ("timeout", "java.net.SocketTimeoutException"),
        ("protocol", "java.io.IOException"),
    ],
)
def test_each_way_of_failing_has_its_words(kind: str, said: str) -> None:
    """So that they can be told apart in the logs."""
    text = lost_text(TransportError(kind), "POST", "peer", "/path")  # type: ignore[arg-type]
    assert text.startswith('I/O error on POST request for "http://peer/path": ')
    assert text.endswith(said)
