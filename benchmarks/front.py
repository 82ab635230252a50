"""What the relay before a service of plain commands costs: CPU of the host for each request, kept connections and new.

python benchmarks/front.py [REQUESTS]
"""

from __future__ import annotations

import http.client
import os
import sys
import tempfile
from pathlib import Path

from pytest_anomod.define.commands import commands_system
from pytest_anomod.model import clock
from pytest_anomod.model.system import Command
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.safety import sessions

SERVER = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 1000)
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(port: int, count: int, *, keep: bool) -> float:
    """Milliseconds that one of so many requests takes, one after the other: the median."""
    took, connection = [], http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(count):
        began_s = clock.monotonic_s()
        connection.request("GET", "/")
        connection.getresponse().read()
        if not keep:
            connection.close()
        took.append(clock.monotonic_s() - began_s)
    connection.close()
    return 1e3 * sorted(took)[count // 2]


def main(count: int) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as directory:
        command = Command(service="web", argv=(sys.executable, "-c", SERVER))
        system = commands_system("front", [command], directory=directory)
        session = sessions.new_session(Path(directory), "front", "main")
        runtime = CommandsRuntime()
        deployment = runtime.up(system, session)
        try:
            row, host = deployment.described("web"), deployment.document["host"]["pid"]
            for keep in (True, False):
                direct_ms = ask(row["inner_port"], count, keep=keep)
                before_s = cpu_s(host)
                relayed_ms = ask(row["port"], count, keep=keep)
                used_us = 1e6 * (cpu_s(host) - before_s) / count
                what = "kept connection" if keep else "new connection"
                print(f"{what:16} {used_us:6.0f} us of CPU a request; median {direct_ms:.2f} -> {relayed_ms:.2f} ms")
        finally:
            runtime.down(deployment)
            sessions.end_session(session)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000)
