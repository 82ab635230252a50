"""The shop's catalog: products and their stock, kept in PostgreSQL.

Its traces go where OTEL_EXPORTER_OTLP_ENDPOINT says, if it is set.
"""

import json
import logging
import os
import re
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import psycopg
from opentelemetry import propagate, trace
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

HOST, PORT = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
DSN = os.environ.get("DATABASE_URL", "postgresql://shop:only-for-tests@127.0.0.1:5432/shop")
SHOW = "SELECT id, name, price, stock FROM products WHERE id = %s"
SELL = "UPDATE products SET sold = sold + %s WHERE id = %s RETURNING id, name, price, stock"
PRODUCT, SALES = re.compile(r"/products/(\d{1,9})"), re.compile(r"/products/(\d{1,9})/sales")

log = logging.getLogger("catalog")
tracer = trace.get_tracer("catalog")


class NotFoundError(Exception):
    """There is no such product, or no such path."""


def send_traces() -> None:
    """Have finished spans exported over OTLP. Without an endpoint the tracer does nothing."""
    if "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", "catalog")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    trace.set_tracer_provider(provider)


def ask(pool: ConnectionPool, statement: str, *values: int) -> dict[str, object]:
    """The one product that a statement is about."""
    attributes = {"db.system.name": "postgresql", "db.query.text": statement, "service.peer.name": "db"}
    span = tracer.start_as_current_span(statement.split()[0], kind=trace.SpanKind.CLIENT, attributes=attributes)
    with span, pool.connection() as connection:
        row = connection.cursor(row_factory=dict_row).execute(statement, values).fetchone()
    if row is None:
        raise NotFoundError(f"no product {values[-1]}")
    return row


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests, all in JSON."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer leave together
    timeout = 60
    pool: ConnectionPool

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/health":
            self.answer(200, {"ok": True})
        elif match := PRODUCT.fullmatch(path):
            self.serve("GET /products/{id}", SHOW, int(match[1]))
        else:
            self.answer(404, {"error": f"no GET {path} here"})

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        count = parse_qs(url.query).get("count", ["1"])[0]
        if not (match := SALES.fullmatch(url.path)):
            self.answer(404, {"error": f"no POST {url.path} here"})
        elif not re.fullmatch(r"[1-9]\d{0,3}", count):
            self.answer(400, {"error": f"count={count!r} is no number from 1 to 9999"})
        else:
            self.serve("POST /products/{id}/sales", SELL, int(count), int(match[1]))

    def serve(self, route: str, statement: str, *values: int) -> None:
        """Answer with what the database says; 503 where it says nothing."""
        context = propagate.extract(dict(self.headers))
        with tracer.start_as_current_span(route, context, trace.SpanKind.SERVER) as span:
            try:
                status, body = 200, ask(self.pool, statement, *values)
                log.info("product %s, %s in stock", body["id"], body["stock"])
            except NotFoundError as error:
                status, body = 404, {"error": str(error)}
            except psycopg.Error as error:
                status, body = 503, {"error": "the database does not answer"}
                log.exception("%s failed", route)
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            span.set_attribute("http.response.status_code", status)
        self.answer(status, body)

    def answer(self, status: int, body: dict[str, object]) -> None:
        """Send an answer."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: what is worth a line is logged above."""


class Server(ThreadingHTTPServer):
    """Many connections may arrive at once."""

    request_queue_size = 128
    daemon_threads = True


def main() -> None:
    """Serve until SIGTERM."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)sZ %(levelname)s %(name)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    send_traces()
    limits = "-c statement_timeout=2000 -c idle_in_transaction_session_timeout=3000"  # a lost client keeps no locks
    options = {"connect_timeout": 2, "tcp_user_timeout": 3000, "options": limits}
    with ConnectionPool(
        DSN, kwargs=options, min_size=2, max_size=16, timeout=1.5, check=ConnectionPool.check_connection
    ) as Handler.pool:
        log.info("catalog listens on %s:%s", HOST, PORT)
        Server((HOST, PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
