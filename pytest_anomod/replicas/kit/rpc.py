"""Calls between services: POST /Method with a JSON object of arguments, the trace context in `traceparent`.

An answer is `{"result": ...}`, or with status 500 `{"error": {"kind": "declared" | "undeclared", "code", "message"}}`.
"""

import time
from typing import Any

import orjson

from pytest_anomod.replicas.kit.errors import RemoteError, ServiceException, TransportError
from pytest_anomod.replicas.kit.http import Response
from pytest_anomod.replicas.kit.http_client import HttpPeer
from pytest_anomod.replicas.kit.metrics import Metrics
from pytest_anomod.replicas.kit.spans import Context

JSON_HEADERS = (("Content-Type", "application/json"),)


class RpcPeer:
    """The methods of a peer service, as a caller sees them."""

    def __init__(self, peer: HttpPeer, metrics: Metrics) -> None:
        self._peer = peer
        self._metrics = metrics

    async def call(
        self, ctx: Context, method: str, /, *, span: str = "", timeout_s: float | None = None, **arguments: Any
    ) -> Any:
        """Call a method and return its result; with `span` a CLIENT span of that name is made around it.

        Raises ServiceException (declared by the peer), RemoteError (undeclared there) or TransportError.
        """
        if not span:
            return await self._measured(ctx, method, timeout_s, arguments)
        with ctx.client_span(span, self._peer.name) as inner:
            return await self._measured(inner, method, timeout_s, arguments)

    async def _measured(self, ctx: Context, method: str, timeout_s: float | None, arguments: dict[str, Any]) -> Any:
        started = time.perf_counter()
        status = "undeclared"
        try:
            result = await self._exchange(ctx, method, timeout_s, arguments)
            status = "ok"
        except ServiceException:
            status = "declared"
            raise
        except TransportError as error:
            status = error.kind
            raise
        finally:
            if ctx.sampled:
                self._metrics.client_call(self._peer.name, status, time.perf_counter() - started)
        return result

    async def _exchange(self, ctx: Context, method: str, timeout_s: float | None, arguments: dict[str, Any]) -> Any:
        peer = self._peer
        body = orjson.dumps(arguments)
        head = (
            f"POST /{method} HTTP/1.1\r\nHost: {peer.name}\r\nContent-Type: application/json\r\n"
            f"traceparent: {ctx.traceparent()}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = await peer.send(head.encode("latin-1") + body, timeout_s or peer.timeout_s)
        return _result(answer.status, answer.body)


def _result(status: int, body: bytes) -> Any:
    try:
        value = orjson.loads(body)
        if status == 200:
            return value["result"]
        error = value["error"]
        kind, code, message = error["kind"], error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        # not an answer of ours: something between us and the peer spoke
        raise TransportError("protocol") from None
    if kind == "declared":
        raise ServiceException(code, message)
    raise RemoteError(message)


def result_response(result: Any) -> Response:
    """The answer of a method that returned."""
    return Response(200, orjson.dumps({"result": result}), JSON_HEADERS)


def error_response(error: Exception) -> Response:
    """The answer of a method that raised: a ServiceException is declared, any other is not and keeps its text."""
    kind, code = ("declared", error.code) if isinstance(error, ServiceException) else ("undeclared", 0)
    value = {"kind": kind, "code": code, "message": str(error)}
    return Response(500, orjson.dumps({"error": value}), JSON_HEADERS)
