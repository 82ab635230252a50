"""A shop as a small HTTP server with a login: items are listed, ordered, deleted; and other tools' files for it."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FRESH = "Bearer fresh-login-of-today"
DEFINITION = """
from pytest_anomod.model import catalog
from pytest_anomod.model.system import Service, ServiceKind, System

catalog.register("systems", System(
    name="little-shop", services=(Service(name="gateway", kind=ServiceKind.GATEWAY),), entry="gateway", journeys=(),
    login=lambda entry: {"Authorization": "%s"},
))
"""

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "shop", "version": "1"},
    "paths": {
        "/items": {"get": {"responses": {"200": {"description": "all"}}}},
        "/items/{itemId}": {
            "parameters": [{"name": "itemId", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"responses": {"200": {"description": "one"}}},
            "delete": {"responses": {"200": {"description": "gone"}}},
        },
        "/orders": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["itemId"],
                                "properties": {
                                    "itemId": {"type": "string"},
                                    "count": {"type": "integer", "example": 2},
                                },
                            }
                        }
                    }
                },
                "responses": {"201": {"description": "ordered"}},
            }
        },
        "/broken": {"get": {"responses": {"200": {"description": "never"}}}},
    },
}


class Shop:
    """What came in; its ids differ from those of every recording."""

    def __init__(self) -> None:
        self.items = [f"item-{number:04}-live" for number in range(8)]
        self.orders: list[str] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Status and document."""
        self.requests.append((method, path, headers, body))
        parts = path.strip("/").split("/")
        if (method, parts) == ("GET", ["items"]):
            return 200, [{"id": one, "name": f"name of {one}"} for one in self.items]
        if parts[0] == "items" and len(parts) == 2:
            known = parts[1] in self.items
            if known and method == "DELETE":
                self.items.remove(parts[1])
            return (200, {"id": parts[1]}) if known else (404, {})
        if headers.get("authorization") != FRESH:
            return 401, {}
        if (method, parts) == ("POST", ["orders"]):
            if json.loads(body or b"{}").get("itemId") not in self.items:
                return 400, {"error": "no such item"}
            self.orders.append(f"order-{len(self.orders):04}-live")
            return 201, {"orderId": self.orders[-1]}
        if parts[0] == "orders" and len(parts) == 2:
            return (200, {}) if parts[1] in self.orders else (404, {})
        return 500, {}


@contextlib.contextmanager
def open_shop() -> Iterator[Shop]:
    """Serve on a free port of 127.0.0.1."""
    shop = Shop()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = shop.answer(
                self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body
            )
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    shop.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _entry(
    method: str, url: str, body: str = "", answer: Any = None, media: str = "application/json"
) -> dict[str, Any]:
    return {
        "pageref": "page_1",
        "request": {
            "method": method,
            "url": url,
            "headers": [
                {"name": "Authorization", "value": "Bearer stale-login"},
                {"name": "Cookie", "value": "session=stale-cookie"},
                {"name": "X-Shop", "value": "blue"},
            ],
            "postData": {"mimeType": "application/json", "text": body} if body else None,
        },
        "response": {"content": {"mimeType": media, "text": json.dumps(answer)}},
    }


HAR: dict[str, Any] = {
    "log": {
        "entries": [
            _entry("GET", "http://shop.example/items", answer=[{"id": "item-0001-then"}]),
            _entry("GET", "http://shop.example/logo.png", media="image/png"),
            _entry("GET", "http://tracker.example/hit", answer={}),
            _entry("POST", "http://shop.example/orders", '{"itemId": "item-0001-then"}', {"orderId": "order-9-then"}),
            _entry("GET", "http://shop.example/orders/order-9-then"),
            _entry("DELETE", "http://shop.example/items/item-0001-then"),
            _entry("GET", "http://shop.example/broken"),
        ]
    }
}

COLLECTION: dict[str, Any] = {
    "info": {"name": "shop"},
    "variable": [{"key": "base", "value": "http://shop.example"}, {"key": "count", "value": "2"}],
    "item": [
        {
            "name": "Order an item",
            "item": [
                {
                    "request": {"method": "GET", "url": {"raw": "{{base}}/items"}},
                    "response": [{"body": '[{"id": "item-0001-then"}]'}],
                },
                {
                    "request": {
                        "method": "POST",
                        "url": "{{base}}/orders",
                        "header": [{"key": "Authorization", "value": "Bearer stale-login"}],
                        "body": {
                            "mode": "raw",
                            "raw": '{"itemId": "item-0001-then", "count": {{count}}}',
                            "options": {"raw": {"language": "json"}},
                        },
                    }
                },
            ],
        },
        {"name": "Needs a script", "request": {"method": "GET", "url": "{{base}}/orders/{{lastOrder}}"}},
    ],
}


def define_shop(folder: Path) -> Path:
    """The file that defines the shop for the processes of workloads."""
    path = folder / "anomod_system.py"
    path.write_text(DEFINITION % FRESH, encoding="utf-8")
    return path
