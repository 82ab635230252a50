"""A small HTTP server that stands in for a system's entry, as its mode says; suites that are begun against it."""

from __future__ import annotations

import contextlib
import http.server
import textwrap
import threading
import time
from collections.abc import Iterator

import pytest
from suite_plays import BASE

from pytest_anomod.workloads import suite


class FakeEntry:
    """What came in, and how it is answered: mode is ok, hang, error, reset or slow."""

    def __init__(self) -> None:
        self.mode = "ok"
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.released = threading.Event()
        self.url = ""

    def wait_for(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until that many requests came in."""
        deadline = time.monotonic() + timeout_s
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"only {len(self.requests)} of {count} requests came in"
            time.sleep(0.01)


@pytest.fixture
def entry() -> Iterator[FakeEntry]:
    """A fake entry that serves while the test runs."""
    with fake_entry() as fake:
        yield fake


@pytest.fixture
def begin(entry, tmp_path):
    """Starts suites given as text; ends what is left of them."""
    handles = []

    def start(text: str, **changes):
        path = tmp_path / f"suite_{len(handles)}.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        handles.append({"pid": 0})
        spec = {
            "system": "social_network",
            "suite": str(path),
            "once": False,
            "bases": {BASE: ""},
            "rate_rps": 100.0,
            "timeout_s": 5.0,
            "seed": 7,
            "deadline_s": 60.0,
            "entry_url": entry.url,
            "urls": {"nginx-thrift": entry.url},
            "owner_pid": None,
        }
        handles[-1] = suite.start({**spec, **changes}, tmp_path / f"responses{len(handles)}.jsonl")
        return handles[-1]

    yield start
    for handle in handles:
        if handle["pid"]:
            suite.stop({**handle, "timeout_s": 0})


@contextlib.contextmanager
def fake_entry() -> Iterator[FakeEntry]:
    """Serve on a free port of 127.0.0.1."""
    fake = FakeEntry()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if fake.mode == "hang":
                fake.released.wait(20)
            if fake.mode == "slow":
                time.sleep(0.3)
            if fake.mode == "reset":
                self.close_connection = True
                return
            self.send_response(500 if fake.mode == "error" else 200)
            answer = b'{"token": "s3cr3t", "text": "hello"}'
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Set-Cookie", "login_token=s3cr3t; Path=/")
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            return None

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            return None

    server = Server(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
