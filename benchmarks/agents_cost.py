"""What agents cost a service, for each language: CPU and memory at the start, and requests a second of one busy core.

    python benchmarks/agents_cost.py [java node go ...] [--seconds 8] [--warm 20]

Starts a service of examples/shop (after examples/shop/build.sh) as it is, with lines counted alone, and with all that
agents give, which is what a case puts in. The service has the last core of this machine to itself; clients, and what
takes its spans, have the others. Needs `anomod agents fetch`.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import dataclasses
import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from pytest_anomod.agents import cache
from pytest_anomod.agents.language import INSIDE, Asked, Place, Reach, language
from pytest_anomod.model import clock
from pytest_anomod.model.system import Agents

SHOP = Path(__file__).parents[1] / "examples" / "shop"
CLIENTS = 4
START_LIMIT_S = 120.0
WAYS = ("plain", "lines", "all")
PROBE = "GET /health"
PAGE = """
import flask
app = flask.Flask(__name__)
@app.get("/health")
def health():
    return "well"
@app.get("/products/<int:number>")
def product(number):
    return {"id": number, "price": 100 * number}
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """A service: what starts it in the shop's directory, and the request that it is asked again and again.

    `with_agents` starts it where they are built in.
    """

    argv: tuple[str, ...]
    with_agents: tuple[str, ...] = ()
    request: str
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    asked: Agents


def java() -> Subject:
    """Orders, with an order that it refuses: two patterns are matched, and nobody else is asked."""
    argv = ("java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", "build/orders", "Orders")
    return Subject(argv=argv, request="POST /orders?price=300&count=0", asked=Agents("java"))


def node() -> Subject:
    """The gateway, with an order that is no JSON: an async function reads it and raises."""
    return Subject(argv=("node", "gateway/server.js"), request="POST /orders", asked=Agents("node"))


def go() -> Subject:
    """Pricing, with a price that is no number: no store is asked. It is built a second time, with the overlay."""
    built = Path(tempfile.mkdtemp(prefix="anomod-go-"))
    atexit.register(shutil.rmtree, built)
    overlay = ["go", "run", str(INSIDE / "go" / "overlay.go"), str(built / "overlay")]
    flags = subprocess.run(overlay, check=True, capture_output=True, text=True).stdout.strip()
    build = ["go", "build", "-o", str(built / "pricing"), "."]
    env = {**os.environ, "GOFLAGS": flags, "CGO_ENABLED": "0"}
    subprocess.run(build, check=True, cwd=SHOP / "pricing", env=env)
    return Subject(
        argv=("build/pricing",),
        with_agents=(str(built / "pricing"),),
        request="GET /quotes?price=none&count=1",
        asked=Agents("go"),
    )


def python() -> Subject:
    """A page of Flask's in one worker of gunicorn: pip install flask gunicorn."""
    place = Path(tempfile.mkdtemp(prefix="anomod-python-"))
    atexit.register(shutil.rmtree, place)
    (place / "page.py").write_text(PAGE)
    line = (
        f"exec {sys.executable} -m gunicorn --no-control-socket --chdir {place} --bind $HOST:$PORT --threads 4 page:app"
    )
    return Subject(argv=("sh", "-c", line), request="GET /products/7", asked=Agents("python", source=str(place)))


SUBJECTS: Mapping[str, Callable[[], Subject]] = {"java": java, "node": node, "go": go, "python": python}


@dataclasses.dataclass(kw_only=True)
class Figures:
    """Of one service in one way: seconds and CPU seconds until it answers, MB, then of the busy core."""

    ready_s: float
    start_cpu_s: float
    start_mb: float
    rps: float
    cpu_ms: float
    busy_mb: float


def measure(subject: Subject, way: str, warm_s: float, seconds: float, otlp_url: str) -> Figures:
    """Start a service, ask it for a while, and then for another while that counts."""
    port = _free_port()
    core = max(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="anomod-cost-") as run, _Client(subject.request, port) as client:
        env = {**os.environ, **subject.env, "PORT": str(port), "HOST": "127.0.0.1"}
        argv = subject.argv
        if way != "plain":
            argv = subject.with_agents or argv
            env |= _agents(subject, env, Path(run), otlp_url if way == "all" else "")
        began = clock.monotonic_s()
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *argv],
            cwd=SHOP, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            clock.wait_until(lambda: _answers(port), timeout_s=START_LIMIT_S, what=f"an answer of {subject.argv[0]}")
            ready_s = clock.monotonic_s() - began
            if way != "plain":  # as a case does before its windows: Node changes the service's functions then
                _agent(subject, Path(run), process.pid).ask("/hello")
            start_cpu_s, start_mb = _used(process.pid)
            client.ask_for(warm_s)
            cpu_s, _ = _used(process.pid)
            count, took_s = client.ask_for(seconds)
            all_cpu_s, busy_mb = _used(process.pid)
        finally:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()
    return Figures(
        ready_s=ready_s, start_cpu_s=start_cpu_s, start_mb=start_mb,
        rps=count / took_s, cpu_ms=(all_cpu_s - cpu_s) / count * 1e3, busy_mb=busy_mb,
    )  # fmt: skip


def _agent(subject: Subject, run: Path, pid: int) -> Asked:
    spoken = language(subject.asked.language)
    library = cache.ready(spoken)
    assert library is not None
    reach = Reach(
        service=spoken.name, asked=subject.asked, library=library, run=run, pid=lambda: pid, host=lambda: "127.0.0.1"
    )
    return spoken.agent(reach)


def _agents(subject: Subject, own: Mapping[str, str], run: Path, otlp_url: str) -> dict[str, str]:
    spoken = language(subject.asked.language)
    library = cache.ready(spoken)
    if library is None:
        sys.exit(f"no agents for {spoken.name} on this machine: anomod agents fetch {spoken.name}")
    place = Place(
        service=spoken.name, asked=subject.asked, ours=str(INSIDE / spoken.name), library=str(library), run=str(run),
        otlp_url=otlp_url, own=own, also={name: str(path) for name, path in spoken.also},
    )  # fmt: skip
    return spoken.environment(place)


def _used(pid: int) -> tuple[float, float]:
    """CPU seconds and MB of a process and its children."""
    every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    times = [one.cpu_times() for one in every]
    return sum(one.user + one.system for one in times), sum(one.memory_info().rss for one in every) / 1e6


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(_bytes(PROBE))
            return connection.recv(12).startswith(b"HTTP/1.")
    except OSError:
        return False


def _bytes(request: str) -> bytes:
    return f"{request} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode()


class _Client:
    """Connections that each send the next request when the last one is answered, from the cores that are left over."""

    def __init__(self, request: str, port: int) -> None:
        self._request = _bytes(request)
        self._port = port
        self._before: set[int] = set()

    def __enter__(self) -> _Client:
        self._before = os.sched_getaffinity(0)
        return self

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)

    def ask_for(self, seconds: float) -> tuple[int, float]:
        """Answers, and the seconds in which they came."""
        others = self._before - {max(self._before)} or self._before
        os.sched_setaffinity(0, others)
        counts = [0] * CLIENTS
        began = clock.monotonic_s()
        threads = [
            threading.Thread(target=self._ask, args=(counts, number, began + seconds)) for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts), clock.monotonic_s() - began

    def _ask(self, counts: list[int], number: int, deadline_s: float) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rest = b""
            while clock.monotonic_s() < deadline_s:
                connection.sendall(self._request)
                rest = _whole_answer(connection, rest)
                counts[number] += 1


def _whole_answer(connection: socket.socket, read: bytes) -> bytes:
    """Read one answer, of which some may have come; what comes after it."""
    while b"\r\n\r\n" not in read:
        read += _more(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if b"content-length" in lines:
        length = int(lines[b"content-length"])
        while len(body) < length:
            body += _more(connection)
        return body[length:]
    while b"0\r\n\r\n" not in body:  # in chunks
        body += _more(connection)
    return body.partition(b"0\r\n\r\n")[2]


def _more(connection: socket.socket) -> bytes:
    got = connection.recv(1 << 16)
    if not got:
        sys.exit("the service ended a connection")
    return got


class _Sink(http.server.BaseHTTPRequestHandler):
    """Takes spans and looks at none."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
            self.rfile.read(size + 2)
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.rfile.readline()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextlib.contextmanager
def _receiver() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("languages", nargs="*", choices=[*SUBJECTS, []], default=[])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--warm", type=float, default=20.0)
    given = parser.parse_args()
    print("| language | with | ready s | CPU s to ready | MB | requests/s of a core | CPU ms a request | MB busy |")
    print("|---|---|---|---|---|---|---|---|")
    with _receiver() as url:
        for name in given.languages or SUBJECTS:
            subject = SUBJECTS[name]()
            for way in WAYS:
                f = measure(subject, way, given.warm, given.seconds, url)
                start = f"{f.ready_s:.1f} | {f.start_cpu_s:.1f} | {f.start_mb:.0f}"
                print(f"| {name} | {way} | {start} | {f.rps:.0f} | {f.cpu_ms:.2f} | {f.busy_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main()
