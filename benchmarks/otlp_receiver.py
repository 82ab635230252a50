"""What 1,000 spans through the OTLP receiver cost: CPU ms of the receiver alone, and as a ratio to parsing them alone.

    python benchmarks/otlp_receiver.py [--rounds 30]

Spans have 11 attributes. A process of its own sends them over one connection, so that its CPU is not counted. "receive"
is what is spent while a system is measured (sockets, HTTP or gRPC, unpacking, check, keeping), "read" what is spent
after the case to make rows without secrets of them. CPU of all threads; the least of all rounds counts, as other work
on the machine only adds. Needs the extra `otlp`.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_anomod.sources.otlp import json_rows, protobuf_rows
from pytest_anomod.sources.otlp.receiver import OtlpReceiver

SPANS = 1_000
FOREVER = (0, 2**63)
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def main() -> None:
    """Measure every way and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="how often the spans are sent each way")
    rounds = parser.parse_args().rounds
    print(f"python {sys.version.split()[0]}, CPU ms per {SPANS:,} spans, least of {rounds} rounds")
    print(f"{'way':34} {'receive':>8} {'read':>8} {'in all':>8} {'parse':>8} {'ratio':>8}")
    for name, form, batch in (
        ("HTTP, protobuf, one batch", "protobuf", SPANS),
        ("HTTP, protobuf, batches of 50", "protobuf", 50),
        ("HTTP, protobuf, gzip, batches of 50", "protobuf gzip", 50),
        ("HTTP, JSON, one batch", "json", SPANS),
        ("HTTP, JSON, batches of 50", "json", 50),
        ("gRPC, one batch", "grpc", SPANS),
        ("gRPC, batches of 50", "grpc", 50),
    ):
        receive_ms, read_ms, parse_ms = measure(form, batch, rounds)
        total_ms = receive_ms + read_ms
        figures = (receive_ms, read_ms, total_ms, parse_ms, total_ms / parse_ms)
        print(f"{name:34}", *(f"{figure:8.1f}" for figure in figures))


def measure(form: str, batch: int, rounds: int) -> tuple[float, float, float]:
    """CPU ms to receive, to read, and to do nothing but parse."""
    requests = [request(first, batch) for first in range(0, SPANS, batch)]
    plain = [json.dumps(one, separators=(",", ":")).encode() if form == "json" else protobuf(one) for one in requests]
    payloads = [gzip.compress(one) for one in plain] if "gzip" in form else plain
    parse = json_rows.parse if form == "json" else protobuf_rows.parse
    received, read, parsed = [], [], []
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with tempfile.TemporaryDirectory() as directory:
        receiver = OtlpReceiver(directory=Path(directory), grpc=form == "grpc")
        receiver.start()
        sender = context.Process(target=send, args=(there, receiver.url, receiver.grpc_target, form, payloads))
        sender.start()
        here.recv()
        for _ in range(rounds):
            received.append(cpu_ms(lambda: (here.send(True), here.recv())))
            read.append(cpu_ms(lambda: checked(receiver.read("traces", *FOREVER).rows)))
            parsed.append(cpu_ms(lambda: [parse("traces", one) for one in plain]))
            receiver.clear("traces")
        here.send(False)
        sender.join()
        receiver.close()
    return min(received), min(read), min(parsed)


def checked(rows: list[Any]) -> None:
    """All spans came."""
    if len({row[4] for row in rows}) != SPANS:
        sys.exit(f"{len(rows)} of {SPANS} spans came")


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of this process while it works."""
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1_000


def send(pipe: Connection, url: str, grpc_target: str | None, form: str, payloads: list[bytes]) -> None:
    """In a process of its own: send all payloads whenever told to."""
    if grpc_target is not None:
        import grpc

        export = grpc.insecure_channel(grpc_target).unary_unary(EXPORT)
    else:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Content-Type": "application/json" if form == "json" else "application/x-protobuf"}
    if "gzip" in form:
        headers["Content-Encoding"] = "gzip"
    pipe.send(True)
    while pipe.recv():
        for payload in payloads:
            if grpc_target is not None:
                export(payload)
                continue
            connection.request("POST", "/v1/traces", payload, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                sys.exit(f"answered with {answer.status}")
        pipe.send(True)


def request(first: int, count: int) -> dict[str, Any]:
    """A request of spans as an SDK's HTTP instrumentation makes them, in OTLP's JSON."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes({"service.name": "catalog", "service.instance.id": "catalog-1"})},
                "scopeSpans": [{"scope": {"name": "http"}, "spans": [span(first + number) for number in range(count)]}],
            }
        ]
    }


def span(number: int) -> dict[str, Any]:
    """One span with 11 attributes."""
    start = 1_700_000_000_000_000_000 + number * 1_000_003
    return {
        "traceId": f"{number // 8 + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "parentSpanId": f"{number // 8 * 8 + 1:016x}" if number % 8 else "",
        "name": "GET /items/{sku}",
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 1_500_000),
        "attributes": attributes(
            {
                "http.request.method": "GET",
                "url.scheme": "http",
                "url.path": f"/items/{number}",
                "http.route": "/items/{sku}",
                "http.response.status_code": 200,
                "network.protocol.version": "1.1",
                "server.address": "catalog",
                "server.port": 8080,
                "client.address": "172.18.0.4",
                "user_agent.original": "node-fetch/3.3",
                "thread.name": "worker-3",
            }
        ),
        "status": {},
    }


def attributes(values: dict[str, str | int]) -> list[dict[str, Any]]:
    """As OTLP's JSON has them."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]


def protobuf(document: dict[str, Any]) -> bytes:
    """The same request in protobuf; its library's reader of JSON wants ids in base64."""
    import base64

    from google.protobuf import json_format

    for one in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            one[key] = base64.b64encode(bytes.fromhex(one[key])).decode()
    return json_format.ParseDict(document, protobuf_rows.message_of("traces")()).SerializeToString()


if __name__ == "__main__":
    main()
