"""A backend of our own make on loopback: answers each path with what a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest


class Backend:
    """`answers` maps a path to a JSON value, bytes, or a function of the query; a pair is a status and one of them."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.headers = []
        self.bodies = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one piece: else each waits for a delayed acknowledgement

            def do_GET(self):
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                backend.asked.append((parts.path, query))
                backend.headers.append(dict(self.headers))
                answer = backend.answers.get(parts.path, (404, "no such path"))
                self._say(answer(query) if callable(answer) else answer)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                backend.bodies.append((self.path, dict(self.headers), body))
                self._say(backend.answers.get(self.path, b""))

            def _say(self, answer):
                status, answer = answer if isinstance(answer, tuple) else (200, answer)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def backend():
    backend = Backend()
    yield backend
    backend.close()
