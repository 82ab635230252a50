"""A booted SocialNetwork replica as the conformance tests see it: HTTP, the control API, its files and its stores."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import asyncpg
import redis
import requests
from documented import Documented
from host_program import hosted, wait_for

from pytest_anomod.replicas.social_network.openapi import document

TRACE_PARENT = "00-{trace}-{span}-01"
CALLER_SPAN = "00000000000000aa"


class System:
    """One deployment of the replica, booted by the host's command line."""

    def __init__(self, directory: Path, process: subprocess.Popen, token: str) -> None:
        self.directory = directory
        self.process = process
        self.deployment = json.loads((directory / "deployment.json").read_text())
        self.url = self.deployment["entry_url"]
        self.media_url = self.deployment["urls"]["media-frontend"]
        self.services = self.deployment["services"]
        self._headers = {"Authorization": f"Bearer {token}"}
        self.http = requests.Session()
        # a browser's memory for cookies would log later tests in
        self.http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._documented = Documented(document())
        self._ids = iter(range(2_000_000, 3_000_000))

    # ---- requests

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET on the gateway; redirects are not followed."""
        return self._asked("GET", path, **options)

    def post(self, path: str, fields: dict[str, Any] | str | None = None, **options: Any) -> requests.Response:
        """POST a percent-encoded form, or a body as it is, to the gateway; redirects are not followed."""
        return self._asked("POST", path, data=fields, **options)

    def _asked(self, verb: str, path: str, **options: Any) -> requests.Response:
        """The answer, which is as the gateway's own document has it."""
        answer = self.http.request(verb, self.url + path, timeout=15, allow_redirects=False, **options)
        self._documented.check(verb, path, answer)
        return answer

    def compose(self, user: int, text: str, **fields: Any) -> requests.Response:
        """Compose a post by username_<user>."""
        form = {"username": f"username_{user}", "user_id": user, "text": text, "post_type": 0} | fields
        return self.post("/wrk2-api/post/compose", form)

    def read(self, kind: str, user: int, start: int = 0, stop: int = 10) -> requests.Response:
        """Read the "home" or "user" timeline."""
        return self.get(f"/wrk2-api/{kind}-timeline/read?user_id={user}&start={start}&stop={stop}")

    def register(self, user: int, username: str = "") -> requests.Response:
        """Register a user under an id."""
        form = {"first_name": "a", "last_name": "b", "username": username or f"username_{user}", "password": "secret"}
        return self.post("/wrk2-api/user/register", form | {"user_id": user})

    def raw(self, data: bytes) -> bytes:
        """Send bytes on a connection of their own and return all that comes back."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=15) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def new_id(self) -> int:
        """An id nobody has used."""
        return next(self._ids)

    def login(self, username: str, password: str) -> str:
        """A login token."""
        answer = self.post("/api/user/login", {"username": username, "password": password})
        return answer.cookies["login_token"]

    # ---- the control API and names

    def stop(self, name: str) -> None:
        """Stop a service or store as docker stop does."""
        self._control(name, "stop")

    def start(self, name: str) -> None:
        """Start it again; healthy when this returns."""
        self._control(name, "start")

    def _control(self, name: str, verb: str) -> None:
        url = f"{self.deployment['control_url']}/services/{name}/{verb}"
        requests.post(url, headers=self._headers, timeout=30).raise_for_status()

    def states(self) -> dict[str, Any]:
        """State, pid and restarts of everything."""
        url = f"{self.deployment['control_url']}/services"
        return requests.get(url, headers=self._headers, timeout=10).json()

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Without one service or store."""
        self.stop(name)
        try:
            yield
        finally:
            self.start(name)

    def refuse(self, name: str) -> None:
        """Give a stopped name back, so that connects to it are refused instead of not resolved."""
        file = self.directory / "hosts.json"
        names = json.loads(file.read_text()) | {name: self.services[name]["port"]}
        temporary = file.with_name("hosts.test")
        temporary.write_text(json.dumps(names))
        os.replace(temporary, file)

    # ---- stores

    def sql(self, store: str, statement: str, *arguments: Any) -> list[Any]:
        """All rows of a statement on a document store."""
        secret = json.loads((self.directory / "secret" / f"{store}.json").read_text())

        async def fetch() -> list[Any]:
            connection = await asyncpg.connect(
                host=secret["host"],
                port=secret["port"],
                user=secret["user"],
                password=secret["password"],
                database=secret["database"],
            )
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def redis(self, store: str) -> redis.Redis:
        """A client of a cache."""
        return redis.Redis(host="127.0.0.1", port=self.services[store]["port"], decode_responses=True)

    # ---- telemetry

    @contextmanager
    def traced(self) -> Iterator["Trace"]:
        """Requests made through the trace's headers belong to it."""
        yield Trace(self, secrets.token_hex(16))

    def spans(self) -> list[dict[str, Any]]:
        """Every span written so far."""
        return list(_lines(self.directory / "spans", "*.jsonl"))

    def logs(self, service: str) -> list[dict[str, Any]]:
        """Every log line of one service."""
        return list(_lines(self.directory / "logs", f"{service}.log"))


class Trace:
    """All spans and log lines of one trace id."""

    def __init__(self, system: System, trace_id: str) -> None:
        self.system = system
        self.trace_id = trace_id
        self.headers = {"traceparent": TRACE_PARENT.format(trace=trace_id, span=CALLER_SPAN)}

    def spans(self, count: int = 0) -> list[dict[str, Any]]:
        """The spans, waiting until there are at least `count` (background work may end after the answer)."""
        found: list[dict[str, Any]] = []

        def enough() -> bool:
            found[:] = [span for span in self.system.spans() if span["trace_id"] == self.trace_id]
            return len(found) >= count

        wait_for(enough, f"{count} spans")
        return found

    def tree(self, count: int = 0) -> str:
        """Service and name of each span, indented by depth, siblings in the order of their text."""
        children: dict[str, list[dict[str, Any]]] = {}
        for span in self.spans(count):
            children.setdefault(span["parent_span_id"], []).append(span)

        def draw(span: dict[str, Any], depth: int) -> str:
            below = sorted(draw(child, depth + 1) for child in children.get(span["span_id"], []))
            peer = span["attributes"].get("peer.service", "")
            line = f"{'  ' * depth}{span['service_name']} {span['span_name']}{' > ' + peer if peer else ''}\n"
            return line + "".join(below)

        return "".join(draw(root, 0) for root in children.get(CALLER_SPAN, []))

    def lines(self) -> dict[str, int]:
        """Number of log lines by service."""
        counts = {}
        for service in self.system.services:
            if self.system.services[service]["log_format"] == "json":
                number = sum(line["trace_id"] == self.trace_id for line in self.system.logs(service))
                if number:
                    counts[service] = number
        return counts


def _lines(directory: Path, pattern: str) -> Iterator[dict[str, Any]]:
    for file in sorted(directory.glob(pattern)):
        for line in file.read_text().splitlines():
            yield json.loads(line)


@contextmanager
def booted(directory: Path, *options: str) -> Iterator[System]:
    """A system of its own in an empty directory, gone when the block ends."""
    with hosted("social_network", directory, *options) as (target, process, token):
        yield System(target, process, token)
