"""Takes what services export over OTLP by HTTP, and says it to its standard output: `python3 otlp_sink.py PORT`.

One line of JSON for each request: {"otlp": path, "type": content type, "packing": content encoding, "body": base64}.
"""

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATHS = ("/v1/traces", "/v1/logs", "/v1/metrics")


class Sink(BaseHTTPRequestHandler):
    """Answers at once; whether a payload is good is found out where it is read."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take one payload."""
        kind = self.headers.get("Content-Type", "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.path in PATHS
        if known:
            line = {"otlp": self.path, "type": kind, "packing": self.headers.get("Content-Encoding", "")}
            sys.stdout.write(json.dumps({**line, "body": base64.b64encode(body).decode()}) + "\n")
            sys.stdout.flush()
        answer = b"{}" if "json" in kind else b""  # an empty message
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing but payloads is said."""


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Sink).serve_forever()
