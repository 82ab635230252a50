"""benchmarks/blackbox.py: what schemathesis says of answers that no document has is heard, each remark once."""

from __future__ import annotations

import argparse
import http.server
import json
import threading

import benchmark_modules
import pytest

SCHEMA = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
ONE = {"description": "one", "content": {"application/json": {"schema": SCHEMA}}}
PATHS = {
    "/good": (200, "application/json", '{"id": 1}'),
    "/shape": (200, "application/json", '{"id": "text"}'),
    "/status": (418, "application/json", '{"id": 1}'),
    "/media": (200, "text/plain", '{"id": 1}'),
}
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "four", "version": "1"},
    "paths": {path: {"get": {"responses": {"200": ONE}}} for path in PATHS},
}


@pytest.fixture
def url():
    """A server of which three answers in four are not as its document has them."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            status, media, text = PATHS.get(path, (200, "application/json", json.dumps(DOCUMENT)))
            self.send_response(status)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def _undeclared(self):
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_TRACE = _undeclared  # noqa: N815

        def log_message(self, *_):
            return None

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


def test_each_answer_that_is_not_as_written_is_a_remark(url, tmp_path, capsys):
    benchmark = benchmark_modules.load("blackbox")
    arguments = argparse.Namespace(seed=1, seconds=20, examples=2)
    said = benchmark.generate(url, {}, tmp_path / "found.har", arguments)
    count = benchmark.report_remarks("anyone", said)
    told = capsys.readouterr().out
    assert count == 3, said
    for kind, path in (("Response violates schema", "/shape"), ("Undocumented status code", "/status")):
        assert kind in told
        assert f"GET {path} (" in told
    assert "GET /media (" in told
    assert "GET /good" not in told
