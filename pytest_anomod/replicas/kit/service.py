"""What a service is written with: a class of handlers, its peers, stores, log, and the app that serves it.

    class TextService(Service):
        @method("ComposeText", span="compose_text_server")
        async def compose_text(self, ctx, req_id, text):
            ctx.log.info(f"Received ComposeText request (req_id={req_id})")
            peer = self.rpc("url-shorten-service")
            urls = await peer.call(ctx, "ComposeUrls", span="compose_urls_client", urls=[...])
            return {"text": text, "urls": urls}

    SERVICE = TextService

A gateway has routes: `@route("POST", "/path") async def compose(self, request) -> Response`, `request.ctx` its context.
A class may have both.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_anomod.replicas.kit.errors import ServiceException
from pytest_anomod.replicas.kit.http import Request, Response, Route, Router, json_response, text_response
from pytest_anomod.replicas.kit.http_client import HttpPeer
from pytest_anomod.replicas.kit.logs import Log
from pytest_anomod.replicas.kit.metrics import Metrics
from pytest_anomod.replicas.kit.net import Login, NameTable
from pytest_anomod.replicas.kit.pools import PoolFigures
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.redis_client import RedisClient
from pytest_anomod.replicas.kit.rpc import RpcPeer, error_response, result_response
from pytest_anomod.replicas.kit.spans import Span, incoming_context, process_context
from pytest_anomod.replicas.kit.telemetry import Telemetry

_SIZE = "http.response.body.size"
"""Attribute of SERVER spans, as OpenTelemetry's semantic conventions have it."""


def _note_size(span: Span, response: Response) -> None:
    if isinstance(response.body, bytes):
        span.attributes[_SIZE] = len(response.body)


def method(name: str, *, span: str = "") -> Callable:
    """Mark `async def handler(self, ctx, **arguments)` as the RPC method `name`; `span` names its SERVER span."""

    def mark(function: Callable) -> Callable:
        function.rpc_method = (name, span or name)  # type: ignore[attr-defined]
        return function

    return mark


def route(verb: str, path: str, *, span: str = "") -> Callable:
    """Mark `async def handler(self, request) -> Response` as an HTTP route; may be stacked.

    `verb` "*" takes any; `{name}` in the path is one segment, a last `{name:path}` the rest. The SERVER span is named
    `span` or the path.
    """

    def mark(function: Callable) -> Callable:
        routes = function.__dict__.setdefault("http_routes", [])
        routes.append((verb, path, span or path))
        return function

    return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a service instance is given: who it is, where its deployment lives, how to log in to stores."""

    name: str
    directory: Path
    instance: int = 1
    seed: int = 0
    telemetry: bool = True
    log_to: int | None = None  # the descriptor for log lines; None: a file of the directory
    rpc_timeout_s: float = 10.0
    options: Mapping[str, Any] = field(default_factory=dict)
    logins: Mapping[str, Login] = field(default_factory=dict)
    names: NameTable | None = None  # where peers are; None: in hosts.json of the directory


class Service:
    """Base of every service. Override `start` and `stop` for what must happen before and after serving."""

    def __init__(self, environment: Environment, in_flight: Callable[[], int] = int) -> None:
        self.name = environment.name
        self.environment = environment
        self.options = environment.options
        self.random = random.Random(f"{environment.seed}/{environment.name}/{environment.instance}")
        self.telemetry = Telemetry(
            environment.directory,
            environment.name,
            environment.instance,
            enabled=environment.telemetry,
            log_to=environment.log_to,
        )
        self.metrics = Metrics(in_flight, enabled=environment.telemetry)
        unknown = environment.directory / "names" / f"{environment.name}.json"
        self.names = environment.names or NameTable(environment.directory / "hosts.json", unknown)
        self.pools: dict[str, PostgresClient] = {}
        self.metrics.register(PoolFigures(self.pools))
        self._http: dict[str, HttpPeer] = {}
        self._rpc: dict[str, RpcPeer] = {}
        self._redis: dict[tuple[str, bool], RedisClient] = {}
        self._tasks: set[asyncio.Task] = set()

    async def start(self) -> None:
        """Runs before the service listens."""

    async def stop(self) -> None:
        """Runs after the service stopped listening."""

    @property
    def log(self) -> Log:
        """The log for lines that belong to no request."""
        return Log(process_context(self.telemetry))

    def http(self, peer: str) -> HttpPeer:
        """A peer to be spoken to in plain HTTP (headers such as traceparent are the caller's business)."""
        if peer not in self._http:
            self._http[peer] = HttpPeer(self.names, peer, self.environment.rpc_timeout_s)
        return self._http[peer]

    def rpc(self, peer: str) -> RpcPeer:
        """A peer whose methods are called: `await self.rpc(peer).call(ctx, "Method", span=..., argument=...)`."""
        if peer not in self._rpc:
            self._rpc[peer] = RpcPeer(self.http(peer), self.metrics)
        return self._rpc[peer]

    def redis(self, store: str, *, decode: bool = True) -> RedisClient:
        """A Redis store by name; `decode` false gives bytes."""
        if (store, decode) not in self._redis:
            self._redis[store, decode] = RedisClient(self.names, store, decode=decode)
        return self._redis[store, decode]

    def pg(self, store: str) -> PostgresClient:
        """A PostgreSQL store by name."""
        if store not in self.pools:
            self.pools[store] = PostgresClient(self.names, store, self.environment.logins[store], owner=self.name)
        return self.pools[store]

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task:
        """Run something beside the request that asked for it; kept until it is done, its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.log.error(f"background work failed: {task.exception()}")

    async def fallback(self, request: Request, allowed: list[str]) -> Response:
        """Answer a request that no route takes; `allowed` are the methods the path knows, empty for an unknown path."""
        return text_response("405 Method Not Allowed\n", 405) if allowed else text_response("404 Not Found\n", 404)

    async def crashed(self, request: Request, error: Exception) -> Response:
        """Answer a request whose handler raised."""
        return text_response(f"500 Internal Server Error\n{error}\n", 500)


class ServiceApp:
    """Serves one Service over HTTP: its methods, its routes, with context, span and metrics around each."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._under_way = 0
        self._methods: dict[str, tuple[str, str, Callable[..., Awaitable[Any]]]] = {}
        self._router = Router()
        for attribute in dir(type(service)):
            function = getattr(type(service), attribute)
            bound: Callable = getattr(service, attribute)
            if hasattr(function, "rpc_method"):
                name, span = function.rpc_method
                self._methods[f"/{name}"] = (name, span, bound)
            for verb, path, span in getattr(function, "http_routes", ()):
                self._router.add(Route(verb, path, bound, span))

    async def __call__(self, request: Request) -> Response:
        """Answer one request; never raises.

        GET /healthz, and any request that is not sampled, is counted nowhere: whoever sends it is a probe, no user.
        """
        if request.path == "/healthz" and request.method == "GET":
            return json_response({"status": "ok"})
        self._under_way += 1
        try:
            ctx = incoming_context(self._service.telemetry, request.header("traceparent"))
            found = self._methods.get(request.path) if request.method == "POST" else None
            response = await (self._http(request, ctx) if found is None else self._call(request, ctx, *found))
            if self._under_way == 1:  # else those of all go out together, soon
                self._service.telemetry.flush()
        finally:
            self._under_way -= 1
        return response

    async def _call(self, request: Request, ctx: Any, name: str, span: str, handler: Callable) -> Response:
        started = time.perf_counter()
        try:
            with ctx.span(span, "SERVER") as inner:
                arguments = request.json()
                if not isinstance(arguments, dict):
                    raise TypeError(f"{name}: arguments must be a JSON object")
                response = result_response(await handler(inner, **arguments))
                _note_size(inner, response)
            status = "ok"
        except ServiceException as error:
            status, response = "declared", error_response(error)
        except Exception as error:  # whatever a handler raises is the answer of its method
            status, response = "undeclared", error_response(error)
        if ctx.sampled:
            self._service.metrics.server_call(name, status, time.perf_counter() - started)
        return response

    async def _http(self, request: Request, ctx: Any) -> Response:
        service = self._service
        started = time.perf_counter()
        found, allowed = self._router.find(request)
        name = found.path if found else "(none)"
        with ctx.span(found.span if found else request.path, "SERVER") as span:
            request.ctx = span
            span.attributes |= {"http.method": request.method, "http.url": request.target}
            span.attributes["http.host"] = request.header("host")
            try:
                response = await (found.handler(request) if found else service.fallback(request, allowed))
            except Exception as error:  # whatever a handler raises becomes an answer
                span.fail(str(error) or type(error).__name__)
                response = await service.crashed(request, error)
            span.attributes["http.status_code"] = response.status
            _note_size(span, response)
            if response.status >= 500 and span.status != "ERROR":
                span.fail(f"HTTP {response.status}")
        if ctx.sampled:
            service.metrics.http_request(name, response.status, time.perf_counter() - started)
        return response
