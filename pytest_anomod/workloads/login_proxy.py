"""A loopback proxy that replaces placeholders by a fresh login, so that the sender never knows the secret."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.model import clock
from pytest_anomod.model.redact import is_secret_name
from pytest_anomod.workloads.suite_login import Login, pairs

PLACEHOLDER = "TOKEN"
LONG = 8
"""From so many characters on, a value of a login is a secret whatever its name; a tenant's `1` is none."""
FRESH_S = 300.0
"""A login is asked for anew when it is older."""
TIMEOUT_S = 60.0
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def placeholders(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of a login with PLACEHOLDER in the place of each secret: `Bearer TOKEN`, `login_token=TOKEN`."""
    return {name: _placeholder(name, value) for name, value in headers.items()}


def secrets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The texts in headers of a login that nobody must learn."""
    found = []
    for name, value in headers.items():
        if name.lower() == "cookie":
            found += [one for cookie, one in pairs(value) if _is_secret(cookie, one)]
        elif _is_secret(name, word := value.rpartition(" ")[2]):
            found.append(word)
    return tuple(filter(None, found))


@contextlib.contextmanager
def login_proxy(url: str, log_in: Callable[[], Mapping[str, str]]) -> Iterator[tuple[str, Callable[[str], str]]]:
    """A proxy before the system at `url`: its URL, and a function that takes all secrets so far out of a text.

    `log_in` gives the headers of a login; {} for a system without one.
    """
    keeper = _Keeper(log_in)
    target = urlsplit(url)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=TIMEOUT_S)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        connection.putheader(name, keeper.login().replaced(name, value))
                connection.endheaders(body)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                self.send_error(502, "the system does not answer")
                return
            finally:
                connection.close()
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP_BY_HOP and name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="login-proxy")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", keeper.without_secrets
    finally:
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT_S)


class _Keeper:
    """The login of now, and all that there were."""

    def __init__(self, log_in: Callable[[], Mapping[str, str]]) -> None:
        self._log_in = log_in
        self._lock = threading.Lock()
        self._known: dict[str, None] = {}
        self._since_s = 0.0
        self._login = self._asked()

    def login(self) -> Login:
        """A login that is not old."""
        with self._lock:
            if clock.monotonic_s() - self._since_s > FRESH_S:
                self._login = self._asked()
            return self._login

    def without_secrets(self, text: str) -> str:
        """The text with PLACEHOLDER in the place of every secret."""
        for secret in self._known:
            text = text.replace(secret, PLACEHOLDER)
        return text

    def _asked(self) -> Login:
        headers = self._log_in()
        self._known |= dict.fromkeys(secrets(headers))
        self._since_s = clock.monotonic_s()
        return Login(headers, PLACEHOLDER)


def _placeholder(name: str, value: str) -> str:
    if name.lower() == "cookie":
        return "; ".join(f"{cookie}={_covered(cookie, one)}" for cookie, one in pairs(value))
    scheme, space, word = value.rpartition(" ")
    return f"{scheme}{space}{_covered(name, word)}"


def _covered(name: str, value: str) -> str:
    return PLACEHOLDER if _is_secret(name, value) else value


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) or len(value) >= LONG
