"""Pages of a web server, with an OpenAPI document of them."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

PAGES = {
    "/openapi.json": json.dumps(
        {
            "openapi": "3.1.0",
            "paths": {
                "/items": {"get": {}},
                "/items/{id}": {"get": {}},
                "/search": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
                "/orders": {"post": {}, "get": {"parameters": [{"name": "top", "in": "query"}]}},
                "/broken": {"get": {}},
                "/health": {"get": {}},
            },
        }
    ),
    "/items": "[]",
    "/orders": "[]",
    "/health": "well",
}


class Pages(BaseHTTPRequestHandler):
    """Serves PAGES."""

    def do_GET(self):
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""
