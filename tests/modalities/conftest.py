"""A deployment that is nothing but files and a small HTTP server, with contents the tests set."""

from __future__ import annotations

import dataclasses
import http.server
import threading
from pathlib import Path

import pytest

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance, Stats
from pytest_anomod.model.source import LineCounter, LogFile, MetricsPage, ResourceFigures, Source, SpanFile
from pytest_anomod.model.system import ServiceKind

KINDS = {"json": ServiceKind.APP, "redis": ServiceKind.CACHE, "postgres": ServiceKind.DOCSTORE}


class FakeDeployment:
    """What collectors ask of a deployment, answered from plain attributes."""

    system = "fake"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.known: dict[str, Instance] = {}
        self.agents: dict[str, object] = {}  # service -> answer of its agent, an exception, or a function
        self.figures: dict[str, Stats | None] = {}
        self.offered: list[Source] = []
        self.lost = False

    def add(self, service: str, *, log_format: str = "json", metrics_url: str | None = None, agent: object = None):
        """Add a service; its files are in the directory, and need not exist."""
        self.known[service] = Instance(
            service=service,
            kind=KINDS[log_format],
            instance_id=f"{service}-1",
            address=("127.0.0.1", 1),
            pid=1,
            start_time=1.0,
            state="running",
        )
        self.offered += [LogFile(service=service, path=self.log(service), format=log_format)]
        self.offered += [ResourceFigures(service=service)]
        if log_format == "json":
            self.offered.append(SpanFile(service=service, path=self.spans(service)))
        if metrics_url is not None:
            self.offered.append(MetricsPage(service=service, url=metrics_url))
        if agent is not None:
            self.offered.append(LineCounter(service=service))
        self.agents[service] = agent
        self.figures[service] = Stats(
            time_unix_nano=1,
            cpu_s=1.5,
            memory_bytes=1000,
            read_bytes=10,
            written_bytes=20,
            threads=3,
            stopped=False,
        )

    def log(self, service: str) -> Path:
        return self.directory / f"{service}.log"

    def spans(self, service: str) -> Path:
        return self.directory / f"{service}.jsonl"

    def sources(self) -> tuple[Source, ...]:
        return tuple(self.offered)

    def change(self, service: str, **changes: object) -> None:
        """Change what is told of an instance."""
        self.known[service] = dataclasses.replace(self.known[service], **changes)

    def instances(self) -> tuple[Instance, ...]:
        if self.lost:
            raise DeploymentError("the host is gone")
        return tuple(self.known.values())

    def stats(self, service: str) -> Stats | None:
        return self.figures[service]

    def capability(self, kind: type, service: str) -> object:
        return Asked(self.agents[service])


class Asked:
    """An agent that gives an answer, raises it, or calls it."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def ask(self, path: str, payload: object = None) -> object:
        assert path == "/coverage/snapshot"
        assert payload in ({"reset": True}, {"reset": True, "full": True})
        answer = self.answer() if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def deployment(tmp_path):
    """An empty fake deployment in a directory of its own."""
    return FakeDeployment(tmp_path)


class FakePages:
    """An HTTP server of metric pages: `pages` by path; a path in `held` gets no answer until it is let go."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, str] = {}
        self.asked: dict[str, int] = {}
        self.connections = 0
        self.held: dict[str, threading.Event] = {}


@pytest.fixture
def pages():
    """A server of metric pages on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def setup(self):
            super().setup()
            fake.connections += 1

        def do_GET(self):
            fake.asked[self.path] = fake.asked.get(self.path, 0) + 1
            if self.path in fake.held:
                fake.held[self.path].wait(10)
            body = fake.pages.get(self.path)
            self.send_response(503 if body is None else 200)
            self.send_header("Content-Length", str(len(body or "")))
            self.end_headers()
            self.wfile.write((body or "").encode())

        def log_message(self, *_):
            return None

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_):
            return None

    server = Server(("127.0.0.1", 0), Handler)
    fake = FakePages(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield fake
    for event in fake.held.values():
        event.set()
    server.shutdown()
    server.server_close()
    thread.join(5)
