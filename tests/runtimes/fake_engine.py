"""A Docker engine that is only asked: whether it is there, where it runs, which images it has; it notes the calls."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens on a Unix socket from its making on; `images` are the labels of each image it has, by name."""

    daemon_threads = True

    def __init__(self, path: Path, *, name: str = "", images: dict[str, dict[str, str]] | None = None) -> None:
        super().__init__(str(path), _Answers)
        self.url = f"unix://{path}"
        self.name = name or os.uname().nodename
        self.images = dict(images or {})
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.shutdown()
        self.server_close()


class _Answers(http.server.BaseHTTPRequestHandler):
    """The few calls of the engine's API that a look needs."""

    protocol_version = "HTTP/1.1"
    server: FakeEngine

    def do_GET(self) -> None:
        """Answer one."""
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        name = path.removeprefix("/images/").removesuffix("/json")
        if path == "/_ping":
            self._say(200, "OK")
        elif path == "/version":
            self._say(200, {"ApiVersion": "1.41", "Version": "20.10"})
        elif path == "/info":
            self._say(200, {"KernelVersion": os.uname().release, "Name": self.server.name})
        elif name in self.server.images:
            self._say(200, {"Id": "sha256:1", "Config": {"Labels": self.server.images[name]}})
        else:
            self._say(404, {"message": f"No such image: {name}"})

    def address_string(self) -> str:
        """Of a Unix socket there is none."""
        return ""

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _say(self, status: int, body: object) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
