"""A tiny system of three Python programs, written to a directory, as a team's own would be."""

from __future__ import annotations

from pathlib import Path

from pytest_anomod.define.commands import procfile_system
from pytest_anomod.model.system import System

SERVER = """
import json, os, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, BELOW = sys.argv[1], sys.argv[2:]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        status, said = 200, {"service": NAME}
        try:
            for url in BELOW:
                with urllib.request.urlopen(url + self.path, timeout=4) as answer:
                    said["below"] = json.load(answer)
        except OSError as error:
            status, said = 502, {"service": NAME, "error": str(error)}
            print(f"ERROR {NAME} could not ask below: {error}", file=sys.stderr)
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *words):
        print("INFO", NAME, format % words)


print("INFO", NAME, "listens on", os.environ["PORT"])
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.daemon_threads = True
server.serve_forever()
"""
PROCFILE = """\
# the tiny shop
stock: python3 server.py stock
front: LEVEL=info python3 server.py front $STOCK_URL
"""


def write_files(directory: Path, procfile: str = PROCFILE) -> Path:
    """The program and a Procfile of two services, the second of which asks the first; the Procfile."""
    directory.mkdir(exist_ok=True)
    (directory / "server.py").write_text(SERVER)
    path = directory / "Procfile"
    path.write_text(procfile)
    return path


def define_tiny(directory: Path, procfile: str = PROCFILE, **more: object) -> System:
    """The tiny system, defined and registered."""
    env = {"STOCK_URL": "http://127.0.0.1:{stock}"}
    return procfile_system(write_files(directory, procfile), **{"name": "tiny", "entry": "front", "env": env, **more})
