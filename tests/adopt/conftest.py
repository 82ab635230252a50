"""A server of the pages of a shop."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer

import pytest
from pages_of_a_shop import Pages


@pytest.fixture
def pages():
    """A server of PAGES; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
