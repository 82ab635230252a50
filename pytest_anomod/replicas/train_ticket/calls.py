"""One request at work: its context, and calls to other services over their own HTTP paths, headers passed on.

Calls are what the original's RestTemplate does: URI variables are percent-encoded, an answer of 400 or more raises
PeerFailure, no answer raises TransportError, nothing is tried again, and there is in effect no time limit.
"""

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from pytest_anomod.replicas.kit.errors import TransportError
from pytest_anomod.replicas.kit.http import Request
from pytest_anomod.replicas.kit.http_client import ClientResponse
from pytest_anomod.replicas.kit.logs import Log
from pytest_anomod.replicas.kit.spans import Context

from .access import Identity
from .failures import PeerFailure

if TYPE_CHECKING:
    from .backend import Backend

NO_LIMIT_S = 60.0  # the original sets none; nothing here may hang for ever
NOTHING: Any = object()
Headers = Iterable[tuple[str, str]]

# what belongs to one connection or one body, and the trace context, which is made anew for each call
NOT_PASSED_ON = frozenset(
    {
        "accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive",
        "proxy-connection", "te", "traceparent", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_VARIABLE = re.compile(r"\{\w*\}")


def context_of(request: Request) -> Context:
    """The span a request is answered in; the kit sets one for every request."""
    if request.ctx is None:
        raise RuntimeError("the request came without a context")
    return request.ctx


def expand(template: str, values: tuple[Any, ...]) -> str:
    """A path with its `{variables}` filled in, each percent-encoded as one segment."""
    given = iter(values)
    return _VARIABLE.sub(lambda _: quote(_text(next(given)), safe=""), template)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


class Call:
    """A request being answered. `call.ctx` is its span, `call.log` its log, `call.identity` whom its token speaks for.

    Calls made here pass all headers of the request on (its token, cookies and so on); give `headers=()` for none.
    """

    __slots__ = ("ctx", "identity", "request", "service")

    def __init__(self, service: "Backend", ctx: Context, request: Request, identity: Identity | None) -> None:
        self.service = service
        self.ctx = ctx
        self.request = request
        self.identity = identity

    @property
    def log(self) -> Log:
        """The log of the request."""
        return self.ctx.log

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that are passed on."""
        return [header for header in self.request.headers if header[0] not in NOT_PASSED_ON]

    async def get(self, peer: str, template: str, *values: Any, headers: Headers | None = None) -> Any:
        """GET a path such as "/api/v1/orderservice/order/{orderId}" of a service; the answer's JSON."""
        return await self.exchange("GET", peer, template, *values, headers=headers)

    async def delete(self, peer: str, template: str, *values: Any, headers: Headers | None = None) -> Any:
        """DELETE, as `get`."""
        return await self.exchange("DELETE", peer, template, *values, headers=headers)

    async def post(self, peer: str, template: str, *values: Any, body: Any, headers: Headers | None = None) -> Any:
        """POST a value as JSON, as `get`."""
        return await self.exchange("POST", peer, template, *values, body=body, headers=headers)

    async def put(self, peer: str, template: str, *values: Any, body: Any, headers: Headers | None = None) -> Any:
        """PUT a value as JSON, as `get`."""
        return await self.exchange("PUT", peer, template, *values, body=body, headers=headers)

    async def exchange(
        self, verb: str, peer: str, template: str, *values: Any, body: Any = NOTHING, headers: Headers | None = None
    ) -> Any:
        """One call; the JSON of its answer, None when that is empty, its text when it is no JSON.

        Raises PeerFailure for an HTTP error and TransportError when there was no answer.
        """
        target = expand(template, values)
        with self.ctx.client_span(f"{verb} {template}", peer) as span:
            span.attributes |= {"http.method": verb, "http.url": target}
            answer = await self._send(span, verb, peer, target, body, self.headers if headers is None else headers)
            span.attributes["http.status_code"] = answer.status
            if answer.status >= 400:
                raise PeerFailure(peer, answer.status, f"{verb} {target}")
        return _content(answer)

    async def _send(
        self, span: Context, verb: str, peer: str, target: str, body: Any, headers: Headers
    ) -> ClientResponse:
        sent = [*headers, ("traceparent", span.traceparent())]
        data = b""
        if body is not NOTHING:
            data = orjson.dumps(body)
            sent.append(("Content-Type", "application/json"))
        service = self.service
        started = time.perf_counter()
        status = "undeclared"
        try:
            answer = await service.http(peer).request(verb, target, headers=sent, body=data, timeout_s=NO_LIMIT_S)
            status = "ok" if answer.status < 400 else "undeclared"
        except TransportError as error:
            status = error.kind
            raise TransportError(error.kind, lost_text(error, verb, peer, target)) from error
        finally:
            if span.sampled:
                service.metrics.client_call(peer, status, time.perf_counter() - started)
        return answer


_LOST = {
    "refused": "Connection refused (Connection refused); nested exception is java.net.ConnectException",
    "closed": "Unexpected end of file from server; nested exception is java.net.SocketException",
    "timeout": "Read timed out; nested exception is java.net.SocketTimeoutException",
    "protocol": "Invalid Http response; nested exception is java.io.IOException",
}


def lost_text(error: TransportError, verb: str, peer: str, target: str) -> str:
    """What the original's client says of a call that got no answer."""
    reason = _LOST.get(error.kind, f"{peer}; nested exception is java.net.UnknownHostException: {peer}")
    return f'I/O error on {verb} request for "http://{peer}{target}": {reason}'


def _content(answer: ClientResponse) -> Any:
    if not answer.body:
        return None
    if answer.header("content-type").startswith("text/"):
        return answer.body.decode("utf-8", "replace")
    return orjson.loads(answer.body)
