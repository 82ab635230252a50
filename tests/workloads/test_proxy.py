"""The recording proxy in this process: redirects of the system stay with it, so that no request goes unrecorded."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading

import pytest
import requests

from pytest_anomod.workloads.proxy import Recorder, known_urls, serve
from pytest_anomod.workloads.record import Records


@pytest.fixture
def entry():
    """An entry that redirects with absolute URLs, as many frameworks do; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            leads = {
                "/old": f"http://localhost:{server.server_port}/new?x=1",
                "/short": f"//127.0.0.1:{server.server_port}/new",
                "/relative": "/new",
                "/away": "http://elsewhere.example/new",
            }
            self.send_response(302 if self.path in leads else 200)
            if self.path in leads:
                self.send_header("Location", leads[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_redirects_to_the_entry_go_through_the_proxy_again(entry, tmp_path):
    def ask(proxy: str) -> list[str]:
        urls = [requests.get(proxy + path, timeout=20).url for path in ("/old", "/short", "/relative")]
        away = requests.get(f"{proxy}/away", timeout=20, allow_redirects=False)
        return [*(url.removeprefix(proxy) for url in urls), away.headers["Location"]]

    async def play() -> list[str]:
        addresses = known_urls({"entry_url": entry}, "gateway")
        recorder = Recorder(
            addresses, "gateway", Records(tmp_path / "rows"), login=None, timeout_s=20, rate_rps=1000, body_limit=100
        )
        port, end = await serve(recorder)
        try:
            return await asyncio.to_thread(ask, f"http://127.0.0.1:{port}")
        finally:
            await end()

    assert asyncio.run(play()) == ["/new?x=1", "/new", "/new", "http://elsewhere.example/new"]
    rows = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert [row["route"] for row in rows] == ["/old", "/new", "/short", "/new", "/relative", "/new", "/away"]
