"""What capture costs: throughput of SocialNetwork at saturation with capture on against off, as ratios.

    python benchmarks/capture.py [--seconds 4] [--pairs 8]

A closed loop of connections drives the gateway with the default mix of journeys as fast as it answers. "signals" are
logs, traces, metrics (scraped at 1 Hz) and recorded API responses, with coverage off on both sides; "coverage" is line
coverage on against off, with the signals on on both sides. Both systems are up at once and take short turns, and the
median of the ratios of neighbouring turns counts, so that a machine whose speed drifts does not decide.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil

from pytest_anomod.sources._scrape import Scraper

CONNECTIONS = 8
USERS = 962


def main() -> None:
    """Measure both ratios and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one turn")
    parser.add_argument("--pairs", type=int, default=8, help="how often off and on take turns")
    options = parser.parse_args()
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, {CONNECTIONS} connections")
    compare("signals", ["--no-telemetry", "--no-coverage"], ["--no-coverage"], options)
    compare("coverage", ["--no-coverage"], [], options)


def compare(name: str, off: list[str], on: list[str], options: argparse.Namespace) -> None:
    """Let two systems, one without and one with it, take turns; print both throughputs and the median of the ratios."""
    with contextlib.ExitStack() as stack:
        without, with_it = (stack.enter_context(Contender(flags)) for flags in (off, on))
        for contender in (without, with_it):
            contender.turn(2.0, seed=0)  # connections, caches, code paths
        pairs = [
            (without.turn(options.seconds, seed), with_it.turn(options.seconds, seed))
            for seed in range(1, options.pairs + 1)
        ]
    for label, turns in zip(("off", "on"), zip(*pairs, strict=True), strict=True):
        rate, cpu = (statistics.median(figures) for figures in zip(*turns, strict=True))
        print(f"{name} {label}: {rate:.0f} req/s at {cpu:.2f} ms of CPU each (medians)")
    ratios = sorted(on_rate / off_rate for (off_rate, _), (on_rate, _) in pairs)
    print(
        f"{name}: on/off {statistics.median(ratios):.3f} (median of {len(ratios)}; {ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


class Contender:
    """A SocialNetwork of its own with some capture on, and what a case does to read it."""

    def __init__(self, flags: list[str]) -> None:
        self._flags = flags
        self._captures = "--no-telemetry" not in flags
        self._scraper = Scraper()  # its connections last, as those of the metrics collector do
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Contender:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._deployment = self._stack.enter_context(system(directory, self._flags))
        self._sink = self._stack.enter_context(open(directory / "responses.jsonl", "wb")) if self._captures else None
        return self

    def __exit__(self, *exception: object) -> None:
        self._scraper.close()
        self._stack.close()

    def turn(self, seconds: float, seed: int) -> tuple[float, float]:
        """Requests a second at saturation for so long, and the CPU milliseconds the system spent on each."""
        host, port = self._deployment["entry_url"].removeprefix("http://").split(":")
        pid = self._deployment["host"]["pid"]
        stop = threading.Event()
        scraper = threading.Thread(target=scrape, args=(self._deployment, self._scraper, stop), daemon=True)
        before = cpu_seconds(pid)
        if self._captures:
            scraper.start()
        rate = asyncio.run(drive(host, int(port), seconds, seed, self._sink))
        stop.set()
        if self._captures:
            scraper.join()
        return rate, (cpu_seconds(pid) - before) / (rate * seconds) * 1e3


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all its descendants so far."""
    host = psutil.Process(pid)
    times = [process.cpu_times() for process in [host, *host.children(recursive=True)]]
    return sum(each.user + each.system for each in times)


@contextlib.contextmanager
def system(directory: Path, flags: list[str]) -> Iterator[dict]:
    """A SocialNetwork of its own, on a free block of ports."""
    argv = [sys.executable, "-m", "pytest_anomod.replicas.kit.host", "social_network", "--dir", str(directory)]
    host = subprocess.Popen([*argv, "--base-port", str(free_block()), *flags], stderr=subprocess.PIPE)
    try:
        ready = directory / "deployment.json"
        deadline = time.monotonic() + 30
        while not ready.exists():
            if host.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"SocialNetwork did not come up: {host.stderr.read().decode() if host.stderr else ''}")
            time.sleep(0.02)
        yield json.loads(ready.read_text())
    finally:
        host.send_signal(signal.SIGTERM)
        host.wait(timeout=10)


def free_block(size: int = 100) -> int:
    """The first of `size` consecutive loopback ports that are free now."""
    for base in range(12_000, 20_000, size):
        try:
            for port in range(base, base + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    sys.exit("no block of free ports between 12000 and 20000")


def scrape(deployment: dict, scraper: Scraper, stop: threading.Event) -> None:
    """Read every /metrics once a second, as the metrics collector does."""
    services = deployment["services"].items()
    urls = {name: service["metrics_url"] for name, service in services if service["metrics_url"]}
    pause = 0.5  # in the middle of each second, so that a turn has as many as it has seconds
    while not stop.wait(pause):
        began = time.monotonic()
        scraper.scrape(urls, timeout_s=0.8)
        pause = 1.0 - (time.monotonic() - began)


async def drive(host: str, port: int, seconds: float, seed: int, sink) -> float:
    """Keep every connection busy for `seconds`; return requests a second."""
    deadline = time.monotonic() + seconds
    start = time.monotonic()
    counts = await asyncio.gather(*(connection(host, port, deadline, f"{seed}:{n}", sink) for n in range(CONNECTIONS)))
    return sum(counts) / (time.monotonic() - start)


async def connection(host: str, port: int, deadline: float, seed: str, sink) -> int:
    """One keep-alive connection, one request after the other."""
    chance = random.Random(seed)
    reader, writer = await asyncio.open_connection(host, port)
    count = 0
    while time.monotonic() < deadline:
        trace = f"{chance.getrandbits(128):032x}"
        writer.write(request(chance, trace))
        began = time.time_ns()
        head = await reader.readuntil(b"\r\n\r\n")
        body = await read_chunks(reader)
        if sink is not None:
            record = {"time": began, "head": head.decode(), "body": body[:8192].decode("latin-1"), "trace_id": trace}
            sink.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        count += 1
    writer.close()
    return count


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body, as the gateway sends all of its own answers."""
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def request(chance: random.Random, trace: str) -> bytes:
    """60 % home timelines, 30 % user timelines, 10 % new posts."""
    user, draw, start = chance.randrange(USERS), chance.random(), chance.randrange(100)
    head = f"Host: localhost\r\ntraceparent: 00-{trace}-{trace[:16]}-01\r\n"
    if draw < 0.9:
        kind = "home-timeline" if draw < 0.6 else "user-timeline"
        return (
            f"GET /wrk2-api/{kind}/read?user_id={user}&start={start}&stop={start + 10} HTTP/1.1\r\n{head}\r\n".encode()
        )
    text = "".join(chance.choices("abcdefghijklmnop", k=256)) + f" @username_{chance.randrange(USERS)} http://example"
    body = f"username=username_{user}&user_id={user}&text={text}&media_ids=&media_types=&post_type=0"
    return f"POST /wrk2-api/post/compose HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


if __name__ == "__main__":
    main()
