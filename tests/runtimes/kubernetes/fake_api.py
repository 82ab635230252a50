"""An API server on loopback that answers what it is told to, can go away and come back, and notes what it was asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import yaml


class FakeApi:
    """`answers` has "VERB /path" -> a value, or (status, message); what is not there is 404. `asked` is in order.

    `streams` has words of a query, such as "watch=true" -> an iterator of the answers that requests with it get:
    (what is said, whether nothing follows for ever).
    """

    def __init__(self, directory):
        self.answers = {"GET /version": {"gitVersion": "v1.99.0"}}
        self.asked = []
        self.refuses = None
        self.streams = {}
        self.released = threading.Event()
        self.server = None
        self.port = 0
        self.kubeconfig = directory / "kubeconfig"
        self.up()
        config = {
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "u", "user": {"token": "word"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    @property
    def place(self):
        """As host/cluster.py has it."""
        return {"kubeconfig": str(self.kubeconfig), "context": "x", "namespace": ""}

    def up(self):
        """Answer again, at the same port."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                sent = json.loads(self.rfile.read(length)) if length else None
                stream = next((found for words, found in fake.streams.items() if words in self.path), None)
                if stream is not None:
                    said, hangs = next(stream)
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(said)
                    if hangs:
                        fake.released.wait()
                    return
                status, value = fake.answer(f"{self.command} {urlsplit(self.path).path}", sent)
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        for verb in ("GET", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{verb}", Handler.answer)
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self):
        """Go away: connections are refused."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, what, sent):
        """Status and value of the answer to a request."""
        self.asked.append((what, sent))
        found = self.refuses or self.answers.get(what, (404, "not found"))
        found = found(sent) if callable(found) else found
        return (found[0], {"message": found[1]}) if isinstance(found, tuple) else (200, found)
