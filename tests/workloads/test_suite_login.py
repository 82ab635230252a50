"""A fresh login takes the place of the one in a suite's files, on the wire and in the environment, and in no file."""

from __future__ import annotations

import dataclasses
import http.server
import importlib.util
import json
import os
import threading
from pathlib import Path

import pytest
from suite_plays import BASE, play_once

from pytest_anomod.model import catalog
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.workloads.guided_suite import write_suite
from pytest_anomod.workloads.suite_login import Login, log_in
from pytest_anomod.workloads.suite_wire import carries_login

BEARER, COOKIE = {"Authorization": "Bearer fresh"}, {"Cookie": "login_token=fresh"}
TEXT = """headers["Authorization"] = "Bearer TOKEN"; headers["Cookie"] = "login_token=TOKEN" """


@pytest.mark.parametrize(
    ("login", "name", "value", "sent"),
    [
        (BEARER, "authorization", "Bearer TOKEN", "Bearer fresh"),
        (BEARER, "Authorization", "Bearer of-its-own", "Bearer of-its-own"),
        (BEARER, "Authorization", "Bearer ", "Bearer "),
        (BEARER, "Cookie", "login_token=TOKEN", "login_token=TOKEN"),
        (COOKIE, "Cookie", "a=TOKEN; login_token=TOKEN", "a=TOKEN; login_token=fresh"),
        (COOKIE, "cookie", "login_token=of-its-own", "login_token=of-its-own"),
    ],
)
def test_what_the_files_have_is_replaced_and_nothing_else(login, name, value, sent):
    assert Login(login, TEXT).replaced(name, value) == sent


@pytest.mark.parametrize(
    ("headers", "token"),
    [({"Cookie": "login_token=fresh; other=x"}, "fresh"), (BEARER, "fresh"), ({"X-Api-Key": "fresh"}, "fresh")],
)
def test_a_variable_of_the_environment_gets_the_token_alone(headers, token, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "old")
    path = tmp_path / "suite.py"
    path.write_text('import os\nCOOKIES = {"login_token": os.environ["SHOP_TOKEN"]}\n')
    shop = catalog.find("systems", "social_network")
    log_in(dataclasses.replace(shop, login=lambda _: headers, login_variables=("SHOP_TOKEN",)), BASE, [path])
    assert os.environ["SHOP_TOKEN"] == token


@pytest.mark.parametrize(
    ("headers", "has_login"),
    [
        ({"authorization": "Bearer abc"}, True),
        ({"Cookie": "login_token=abc"}, True),
        ({"Authorization": "Bearer "}, False),
        ({"Authorization": "Bearer"}, False),
        ({"Accept": "*/*"}, False),
    ],
)
def test_who_has_a_login(headers, has_login):
    assert carries_login(headers) is has_login


@pytest.fixture
def train_ticket():
    """Lets in who has today's token, as TrainTicket's gateway does; refuses logins when told to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/users/login"
            wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert wish["username"] == "fdse_microservice"
            granted = {"status": 1, "msg": "login success", "data": {"token": "todays-token"}}
            self._answer(200, granted if server.lets_in else {"status": 0, "msg": "no such user", "data": None})

        def do_GET(self) -> None:
            self._answer(200 if self.headers["Authorization"] == "Bearer todays-token" else 403, {})

        def _answer(self, status: int, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        lets_in = True
        url = ""

    server = Server(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_bearers_of_each_kind_are_fresh_and_recorded_nowhere(train_ticket, begin, tmp_path):
    text = f"""
        import os
        import httpx, requests
        BASE_URL = "{BASE}"
        OLD = {{"Authorization": "Bearer yesterdays-token"}}

        def test_written():
            assert requests.get(BASE_URL, headers=OLD).status_code == 200

        def test_httpx():
            assert httpx.get(BASE_URL, headers=OLD).status_code == 200

        def test_environment():
            bearer = {{"Authorization": "Bearer " + os.environ["TT_AUTH_TOKEN"]}}
            assert requests.get(BASE_URL, headers=bearer).status_code == 200

        def test_without():
            assert requests.get(BASE_URL).status_code == 403
    """
    rows, report = play_once(
        begin, text, system="train_ticket", entry_url=train_ticket.url, urls={"ts-gateway-service": train_ticket.url}
    )
    assert report["outcomes"] == {"passed": 4}, report["failures"]
    assert len(rows) == 4
    assert (report["with_login"], report["refused_without_login"]) == (3, 1)
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert "todays-token" not in path.read_text("utf-8"), path


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({"Cookie": "login_token=old-secret; theme=dark"}, "login_token=fresh-secret; theme=dark"),
        ({"X-Api-Key": "old-secret"}, "fresh-secret"),
        ({"Authorization": "Token old-secret"}, "Token fresh-secret"),
    ],
)
def test_an_explored_suite_goes_out_with_the_login_of_today(headers, sent, tmp_path):
    path = tmp_path / "test_explored.py"
    write_suite(path, [], system="shop", base=BASE, login=headers)
    assert "old-secret" not in path.read_text("utf-8")
    spec = importlib.util.spec_from_file_location("explored_login", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ((name, value),) = module.LOGIN.items()
    system = dataclasses.replace(catalog.find("systems", "social_network"), login=lambda _: {name: sent})
    assert log_in(system, BASE, [path]).replaced(name, value) == sent


def test_the_cookie_of_an_explored_suite_is_fresh_on_the_wire(entry, begin, tmp_path):
    path = tmp_path / "explored.py"
    write_suite(path, [], system="social_network", base=BASE, login={"Cookie": "login_token=of-yesterday"})
    text = path.read_text("utf-8") + "\n\ndef test_it():\n    assert send('GET', '/home').status_code == 200\n"
    _, report = play_once(begin, text)
    assert report["with_login"] == 1
    assert entry.requests[-1][2]["cookie"] == "login_token=s3cr3t"


def test_a_login_that_is_refused_is_said(train_ticket):
    train_ticket.lets_in = False
    with pytest.raises(DeploymentError, match="refused the login of fdse_microservice: no such user"):
        catalog.find("systems", "train_ticket").login(train_ticket.url)


def test_the_cookie_of_social_network_is_taken_from_its_answer(entry):
    login = catalog.find("systems", "social_network").login
    assert login(entry.url) == {"Cookie": "login_token=s3cr3t"}
    ((verb, path, _, body),) = entry.requests
    assert (verb, path, body) == ("POST", "/api/user/login", b"username=username_1&password=password_1")
