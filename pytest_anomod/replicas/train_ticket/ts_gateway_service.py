"""ts-gateway-service: finds the service behind a path prefix and passes the request on; it checks no token.

Where nobody is behind a prefix the answers are those of Spring Cloud Gateway. At most 20 requests a second go to the
administration of basic data, as the original's flow rule says.
"""

import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.kit.http import REASONS, Request, Response, json_response
from pytest_anomod.replicas.kit.http_client import ClientResponse
from pytest_anomod.replicas.kit.service import Service, route

from .calls import NO_LIMIT_S, context_of
from .catalogue import PREFIXES

LIMITED, LIMIT, PERIOD_S = "ts-admin-basic-info-service", 20, 1.0
HOP_BY_HOP = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "te", "traceparent", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
NOT_REGISTERED = ("ts-avatar-service",)  # routed, though the registry never hears of it
STATUS_OF_LOSS = {"resolve": 503, "timeout": 504}  # any other loss is 500


def passing_on(prefix: str, peer: str) -> Callable[["GatewayService", Request], Awaitable[Response]]:
    """The handler of one prefix."""

    async def pass_on(self: "GatewayService", request: Request) -> Response:
        return await self.pass_on(request, peer)

    for path in (prefix, f"{prefix}/{{rest:path}}"):
        pass_on = route("*", path, span=f"{prefix}/**")(pass_on)
    return pass_on


class GatewayService(Service):
    """One handler a prefix; everything else is 404."""

    async def start(self) -> None:
        """Nobody has asked for anything yet."""
        self._admissions: deque[float] = deque()
        self._document: dict[str, Any] | None = None
        self.log.info(f"Started GatewayApplication with {len(PREFIXES)} routes")

    @route("GET", "/openapi.json")
    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document of what is behind the gateway; the original has none."""
        if self._document is None:
            from .openapi import document  # it imports every service, which only those who ask for it shall pay

            self._document = document()
        return json_response(self._document | {"servers": [{"url": f"http://{request.header('host')}"}]})

    async def pass_on(self, request: Request, peer: str) -> Response:
        """Send the request to the service as it came, and its answer back."""
        if peer == LIMITED and not self._admit():
            return json_response({"code": 429, "message": "Blocked by Sentinel: ParamFlowException"}, 429)
        if peer in NOT_REGISTERED:
            return failed(request, 503)
        ctx = context_of(request)
        ctx.log.info(f"Route matched: {peer} {request.method} {request.path}")
        started, status = time.perf_counter(), "undeclared"
        try:
            with ctx.client_span(f"{request.method} {peer}", peer) as span:
                span.attributes["http.url"] = request.target
                answer = await self._ask(request, peer, span.traceparent())
                span.attributes["http.status_code"] = answer.status
                if answer.status >= 500:
                    span.fail(f"HTTP {answer.status}")
            status = "ok" if answer.status < 500 else "undeclared"
        except TransportError as error:
            status = error.kind
            ctx.log.error(f"{peer} cannot be reached: {error}")
            return failed(request, STATUS_OF_LOSS.get(error.kind, 500))
        finally:
            if ctx.sampled:
                self.metrics.client_call(peer, status, time.perf_counter() - started)
        return Response(
            answer.status, answer.body, [header for header in answer.headers if header[0] not in HOP_BY_HOP]
        )

    async def _ask(self, request: Request, peer: str, traceparent: str) -> ClientResponse:
        headers = [header for header in request.headers if header[0] not in HOP_BY_HOP]
        headers += [("X-Forwarded-Host", request.header("host")), ("X-Forwarded-Proto", "http")]
        headers.append(("traceparent", traceparent))
        target = f"{request.path}?{request.query}" if request.query else request.path
        method = "GET" if request.method == "HEAD" else request.method  # the body is left out on the way back
        return await self.http(peer).request(method, target, headers=headers, body=request.body, timeout_s=NO_LIMIT_S)

    def _admit(self) -> bool:
        now = time.monotonic()
        while self._admissions and self._admissions[0] <= now - PERIOD_S:
            self._admissions.popleft()
        if len(self._admissions) >= LIMIT:
            return False
        self._admissions.append(now)
        return True

    async def fallback(self, request: Request, allowed: list[str]) -> Response:
        """No route takes the path."""
        return failed(request, 404)

    async def crashed(self, request: Request, error: Exception) -> Response:
        """Passing on failed in a way of its own."""
        context_of(request).log.error(f"500 Server Error for HTTP {request.method} {request.path}: {error}")
        return failed(request, 500)


def failed(request: Request, status: int) -> Response:
    """The gateway's own error answer."""
    return json_response(
        {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "path": request.path,
            "status": status,
            "error": REASONS[status],
            "message": None if status == 404 else "",
            "requestId": f"{secrets.token_hex(4)}-{secrets.randbelow(100_000)}",
        },
        status,
    )


for _prefix, _peer in PREFIXES.items():
    _name = "pass_on_" + _prefix.removeprefix("/api/v1/").replace("/", "_")
    setattr(GatewayService, _name, passing_on(_prefix, _peer))

SERVICE = GatewayService
