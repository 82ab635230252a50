"""Code faults that are looked for by a plain HTTP request: what is sent, and what its answers mean."""

from __future__ import annotations

import dataclasses
import http.server
import json
import threading

import pytest

from pytest_anomod.faults import CodeDelay, CodeException, CodeReturn
from pytest_anomod.model import catalog
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.system import System
from pytest_anomod.testing import fake_deployment

FUNCTION = "cart:Cart.total"
SYSTEM = System(
    name="fake_system", services=(), entry="", journeys=(), probe_headers=lambda: {"Authorization": "Bearer of-nobody"}
)


class Service:
    """A service of somebody's: answers what it is told to, and keeps what it was asked."""

    def __init__(self):
        self.answer, self.asked = (200, b"{}"), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.command, self.path, dict(self.headers.items()), body))
                status, answer = outer.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_):
                """Nobody reads it."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def service():
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def deployment(service, tmp_path, monkeypatch):
    """A deployment whose service "app" that is, of a system whose services want to know who asks."""
    deployment = fake_deployment(tmp_path)
    found = instance_of(deployment, "app")
    address = service.server.server_address[:2]
    monkeypatch.setattr(deployment, "instances", lambda _: (dataclasses.replace(found, address=address),))
    find = catalog.find
    monkeypatch.setattr(catalog, "find", lambda group, name: SYSTEM if group == "systems" else find(group, name))
    return deployment


def test_the_request_is_that_of_a_probe(service, deployment):
    """Unsampled, so that it leaves no trace; with the headers that the system has for probes; its body as JSON."""
    CodeReturn(function=FUNCTION, probe="POST /carts/7?all=1", arguments={"items": [1]}).active(deployment, "app")
    ((verb, path, headers, body),) = service.asked
    assert (verb, path, json.loads(body)) == ("POST", "/carts/7?all=1", {"items": [1]})
    assert headers["traceparent"].endswith("-00")
    assert headers["Authorization"] == "Bearer of-nobody"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_what_has_no_body_sends_none(service, deployment, verb):
    CodeReturn(function=FUNCTION, probe=f"{verb} /carts/7").active(deployment, "app")
    ((_, _, headers, body),) = service.asked
    assert body == b""
    assert "Content-Type" not in headers


@pytest.mark.parametrize(
    ("value", "answer", "active"),
    [
        (None, (200, b""), True),
        (None, (200, b"null"), True),
        (None, (200, b'{"total": 1}'), False),
        ({"total": 0}, (200, b'{"total": 0}'), True),
        ("closed", (200, b"closed"), True),
        (None, (403, b""), False),
        (None, (500, b"null"), False),
    ],
)
def test_a_wrong_value_is_seen_in_the_body_of_a_good_answer(service, deployment, value, answer, active):
    """An empty body is no value; an error is none either, whatever its body says."""
    service.answer = answer
    looked = CodeReturn(function=FUNCTION, value=value, probe="GET /carts/7").active(deployment, "app")
    assert looked.active is active
    assert looked.evidence["status"] == answer[0]


@pytest.mark.parametrize(("status", "active"), [(404, True), (500, False), (200, False)])
def test_a_wrong_value_that_fails_the_probe_is_seen_in_its_status(service, deployment, status, active):
    """And in no other one: what fails in another way fails for another reason."""
    service.answer = (status, b"null")
    looked = CodeReturn(function=FUNCTION, value=None, status=404, probe="GET /carts/7").active(deployment, "app")
    assert looked.active is active


@pytest.mark.parametrize(("status", "active"), [(500, True), (503, True), (404, False), (403, False), (200, False)])
def test_an_exception_is_seen_as_a_failure_of_the_server(service, deployment, status, active):
    """Frameworks don't tell clients what the exception said."""
    service.answer = (status, b'{"error": "Internal Server Error"}')
    assert CodeException(function=FUNCTION, probe="GET /carts/7").active(deployment, "app").active is active


def test_a_swift_answer_is_not_late(service, deployment):
    assert not CodeDelay(function=FUNCTION, delay_s=5, probe="GET /carts/7").active(deployment, "app")


@pytest.mark.parametrize("kind", [CodeReturn, CodeException, CodeDelay])
def test_no_answer_shows_nothing(service, deployment, kind):
    """Who is not there may be down for any reason."""
    service.server.shutdown()
    service.server.server_close()
    assert not kind(function=FUNCTION, probe="GET /carts/7").active(deployment, "app")
