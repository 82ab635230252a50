"""A booted TrainTicket replica as the conformance tests see it: HTTP with tokens, the control API, files and tables."""

import asyncio
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import requests
from documented import Documented
from host_program import hosted

NOTHING: Any = object()
USER_ID = "4d2a46c7-71cb-4cf1-b5bb-b68406d9da6f"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class System:
    """One deployment of the replica, booted by the host's command line."""

    def __init__(self, directory: Path, process: subprocess.Popen, token: str) -> None:
        self.directory = directory
        self.process = process
        self.deployment = json.loads((directory / "deployment.json").read_text())
        self.url = self.deployment["entry_url"]
        self.services = self.deployment["services"]
        self._control = {"Authorization": f"Bearer {token}"}
        self.http = requests.Session()
        self.sent: set[str] = set()  # titles of the examples that were sent
        self._documented = Documented(self.http.get(f"{self.url}/openapi.json", timeout=30).json())
        self.tokens = {
            "user": self.login("fdse_microservice", "111111"),
            "admin": self.login("admin", "222222"),
        }

    def login(self, username: str, password: str) -> str:
        """The token of an account."""
        return self.post("/api/v1/users/login", {"username": username, "password": password}).json()["data"]["token"]

    def ask(
        self, verb: str, path: str, body: Any = NOTHING, *, token: str | None = None, service: str = "", **options: Any
    ) -> requests.Response:
        """One request at the gateway, or straight at a service; `token` is "user", "admin" or a token itself.

        One that comes too soon (429) is sent again unless `patient` is false. What the gateway answers is as its
        document has it, unless `documented` is false.
        """
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        if body is not NOTHING:
            options["data"] = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        base = f"http://127.0.0.1:{self.services[service]['port']}" if service else self.url
        patient, documented = options.pop("patient", True), options.pop("documented", True)
        while True:
            self.http.cookies.clear()
            answer = self.http.request(verb, base + path, headers=headers, timeout=30, **options)
            if documented and not service:
                self._documented.check(verb, path, answer)
            if answer.status_code != 429 or not patient:
                return answer
            time.sleep(0.05)  # the gateway lets 20 requests a second through to one of the services

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET at the gateway."""
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any = NOTHING, **options: Any) -> requests.Response:
        """POST of a JSON body at the gateway."""
        return self.ask("POST", path, body, **options)

    def data(self, path: str, **options: Any) -> Any:
        """The `data` of the envelope that a GET gives."""
        return self.get(path, **options).json()["data"]

    def control(self, verb: str, path: str) -> Any:
        """Ask the host."""
        url = self.deployment["control_url"] + path
        answer = requests.request(verb, url, headers=self._control, timeout=30)
        answer.raise_for_status()
        return answer.json()

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Without one service or store."""
        self.control("POST", f"/services/{name}/stop")
        try:
            yield
        finally:
            self.control("POST", f"/services/{name}/start")

    def agent(self, service: str, path: str, body: dict[str, Any]) -> Any:
        """Ask the agent of a service."""
        url = self.services[service]["agent_url"] + path
        answer = requests.post(url, json=body, headers=self._control, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def metrics(self, service: str) -> str:
        """The metrics page of a service or store."""
        return requests.get(self.services[service]["metrics_url"], timeout=10).text

    async def connect(self, role: str = "user") -> asyncpg.Connection:
        """A connection to the database, with the services' login or that of the superuser."""
        secret = json.loads((self.directory / "secret" / "tsdb-mysql.json").read_text())
        place = {name: secret[name] for name in ("host", "port", "database")}
        password = secret["password" if role == "user" else f"{role}_password"]
        return await asyncpg.connect(user=secret[role], password=password, **place)

    def sql(self, statement: str, *arguments: Any) -> list[Any]:
        """All rows of a statement on the database."""

        async def fetch() -> list[Any]:
            connection = await self.connect()
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def spans(self, trace_id: str = "") -> list[dict[str, Any]]:
        """Every span written so far, or those of one trace."""
        lines = [line for file in (self.directory / "spans").glob("*.jsonl") for line in file.read_text().splitlines()]
        return [span for span in map(json.loads, lines) if not trace_id or span["trace_id"] == trace_id]

    def logs(self, service: str) -> list[dict[str, Any]]:
        """Every log line of one service."""
        return [json.loads(line) for line in (self.directory / "logs" / f"{service}.log").read_text().splitlines()]


def new_trace() -> tuple[str, dict[str, str]]:
    """A trace id and the headers that make a request belong to it."""
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-00000000000000aa-01"}


@contextmanager
def booted(directory: Path, *options: str) -> Iterator[System]:
    """A system of its own in an empty directory, gone when the block ends."""
    with hosted("train_ticket", directory, *options) as (target, process, token):
        yield System(target, process, token)
