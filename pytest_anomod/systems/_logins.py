"""Logins of users in the seed data of both systems, for the requests of suites: made when needed, written nowhere."""

from __future__ import annotations

import http.client
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from pytest_anomod.host.calls import call_json
from pytest_anomod.model.errors import DeploymentError

TIMEOUT_S = 10.0


def train_ticket_login(entry: str) -> dict[str, str]:
    """The bearer header of the user that the original's InitData makes; DeploymentError when it is refused."""
    answer = call_json(
        f"{entry}/api/v1/users/login", who="the login of train_ticket", timeout_s=TIMEOUT_S,
        payload={"username": "fdse_microservice", "password": "111111"},
    )  # fmt: skip
    token = ((answer or {}).get("data") or {}).get("token")
    if not token:
        msg = f"train_ticket at {entry} refused the login of fdse_microservice: {(answer or {}).get('msg')}"
        raise DeploymentError(msg)
    return {"Authorization": f"Bearer {token}"}


def social_network_login(entry: str) -> dict[str, str]:
    """The cookie of the first user that the original's init_social_graph.py registers; DeploymentError if refused."""
    parts = urlsplit(entry)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request(
            "POST", "/api/user/login", urlencode({"username": "username_1", "password": "password_1"}),
            {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"},
        )  # fmt: skip
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        msg = f"the login of social_network can't be reached at {entry}: {error}"
        raise DeploymentError(msg) from error
    finally:
        connection.close()
    cookies = SimpleCookie(answer.headers.get("Set-Cookie", ""))
    if "login_token" not in cookies:
        msg = f"social_network at {entry} refused the login of username_1 with {answer.status}"
        raise DeploymentError(msg)
    return {"Cookie": f"login_token={cookies['login_token'].value}"}
