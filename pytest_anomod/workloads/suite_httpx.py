"""Records what a suite sends through httpx, which has its own HTTP client; imported only when the suite uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from pytest_anomod.workloads.suite_wire import Exchange, Wire


def tap_httpx(wire: Wire) -> None:
    """Pass what httpx's own transports send through the wire; may be called again."""
    transport: Any = httpx.HTTPTransport
    later: Any = httpx.AsyncHTTPTransport
    if hasattr(transport, "_tapped"):
        return
    transport._tapped = True
    handle: Any
    handle_async: Any
    handle, handle_async = transport.handle_request, later.handle_async_request

    def handle_request(self: Any, request: httpx.Request) -> httpx.Response:
        exchange = _begin(wire, request)
        if exchange is None:
            return handle(self, request)
        with wire.watch(exchange, lambda: False):
            exchange.message.body = request.read()
            response = handle(self, _readdressed(wire, exchange, request))
            body = b"".join(_pieces(response))
            response.close()
        return _end(wire, exchange, response, body)

    async def handle_async_request(self: Any, request: httpx.Request) -> httpx.Response:
        exchange = _begin(wire, request)
        if exchange is None:
            return await handle_async(self, request)
        with wire.watch(exchange, lambda: False):
            exchange.message.body = await request.aread()
            response = await handle_async(self, _readdressed(wire, exchange, request))
            body = b"".join([piece async for piece in _pieces_later(response)])
            await response.aclose()
        return _end(wire, exchange, response, body)

    transport.handle_request = handle_request
    later.handle_async_request = handle_async_request


def _begin(wire: Wire, request: httpx.Request) -> Exchange | None:
    port = request.url.port or (443 if request.url.scheme == "https" else 80)
    exchange = wire.begin(request.method, request.url.raw_path.decode("ascii"), request.url.host, port)
    if exchange is not None:
        exchange.message.headers.update(request.headers.multi_items())
    return exchange


def _readdressed(wire: Wire, exchange: Exchange, request: httpx.Request) -> httpx.Request:
    """The request as it goes out: to the deployment, with its trace, and with bounded waits."""
    headers = request.headers.copy()
    for name in ("authorization", "cookie"):
        if name in headers:
            headers[name] = wire.header(name, headers[name])
    header = wire.traceparent(exchange)
    if header is not None:
        headers["traceparent"] = exchange.message.headers["traceparent"] = header
    asked = request.extensions.get("timeout") or {}
    waits = {
        name: min(asked.get(name) or wire.timeout_s, wire.timeout_s) for name in ("connect", "read", "write", "pool")
    }
    return httpx.Request(
        request.method,
        exchange.message.url,
        headers=headers,
        stream=request.stream,
        extensions={**request.extensions, "timeout": waits},
    )


def _pieces(response: Any) -> Iterator[bytes]:
    yield from response.stream


async def _pieces_later(response: Any) -> AsyncIterator[bytes]:
    async for piece in response.stream:
        yield piece


def _end(wire: Wire, exchange: Exchange, response: httpx.Response, body: bytes) -> httpx.Response:
    message = exchange.message
    message.status, message.response_body = response.status_code, body
    message.response_headers = response.headers.multi_items()
    wire.end(exchange)
    return httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(body), extensions=response.extensions
    )
