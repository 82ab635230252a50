"""What a service of TrainTicket is written with: endpoints on the original's paths, rules, repositories, peers.

    class ConfigService(Backend):
        base = "/api/v1/configservice"
        rules = OPEN
        welcome = welcome("/welcome", "Welcome to [ Config Service ] !")

        async def start(self):
            self.configs = self.repository(CONFIGS)
            await super().start()

        @endpoint("GET", "/configs/{name}")
        async def retrieve(self, call, name):
            return found(await self.configs.one(call, name=name), "Success", "No content")

        @endpoint("POST", "/configs", body=CONFIG, status=201)
        async def create(self, call, config): ...

    SERVICE = ConfigService

A handler gets the path's variables (percent-decoded; `{status:int}` converted) and then the body, bound to its entity.
What it returns is the body: text as text/plain, None as an empty body, a Response as it is, anything else as JSON.
Whatever it raises is a 500 of the framework, as it would be in the original.
"""

import functools
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote

import orjson

from pytest_anomod.replicas.kit.errors import StoreError, TransportError
from pytest_anomod.replicas.kit.http import Request, Response
from pytest_anomod.replicas.kit.postgres_client import PostgresClient
from pytest_anomod.replicas.kit.service import Service
from pytest_anomod.replicas.kit.telemetry import source_path

from . import access, failures
from .binding import INT_MAX, INT_MIN, Entity, Kind, WrongTypeError, read_number
from .calls import Call, context_of
from .database import DATABASE, POOL_SIZE, Pool, Repository
from .failures import JSON_HEADERS, TEXT_HEADERS, HttpFailure, PeerFailure, error_response
from .tables import Table

_TYPED = re.compile(r"\{(\w+):(int|number|flag)\}")
_NOT_IN_PATHS = ("//", ";", "%00", "%25", "%2f", "%2F", "%5c", "%5C", "\\")
_LOST = (StoreError, TransportError, PeerFailure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation of a service, by the path below the service's base."""

    verb: str
    path: str
    body: Kind | Entity | None
    status: int
    converters: tuple[tuple[str, str], ...]
    media: str = "application/json"


def endpoint(
    verb: str, path: str, *, body: Kind | Entity | None = None, status: int = 200, media: str = "application/json"
) -> Callable:
    """Mark `async def handler(self, call, **path variables[, body])` as an operation.

    `status` is that of success, `media` the type of what it answers then.
    """

    def mark(function: Callable[..., Awaitable[Any]]) -> Callable:
        operation = Endpoint(
            verb=verb, path=_TYPED.sub(r"{\1}", path), body=body, status=status,
            converters=tuple(_TYPED.findall(path)), media=media,
        )  # fmt: skip

        @functools.wraps(function)
        async def handle(self: "Backend", request: Request) -> Response:
            return await self.serve(request, operation, function)

        vars(handle)["operation"] = operation  # read by __init_subclass__
        return handle

    return mark


def welcome(path: str, text: str) -> Callable:
    """The operation that greets."""

    async def greet(self: "Backend", call: Call) -> str:
        return text

    return endpoint("GET", path, media="text/plain")(greet)


class Backend(Service):
    """Base of every service that was a Spring Boot application; `base` precedes the paths of rules and endpoints."""

    base: ClassVar[str] = ""
    rules: ClassVar[tuple[access.Rule, ...]] = access.ANY_TOKEN
    checks_tokens: ClassVar[bool] = True  # false for the services that are no Spring Boot applications
    operations: ClassVar[tuple[Endpoint, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Tell the kit the full paths of the endpoints; a slash at the end is accepted everywhere."""
        operations = []
        for name in dir(cls):
            handler = getattr(cls, name)
            operation = getattr(handler, "operation", None)
            if isinstance(operation, Endpoint):
                operations.append(operation)
                path = cls.base + operation.path
                span = f"{operation.verb} {path}"
                handler.http_routes = [(operation.verb, path, span), (operation.verb, f"{path}/", span)]
        cls.operations = tuple(operations)

    async def start(self) -> None:
        """Say so."""
        self.log.info(f"Started {type(self).__name__} of {self.name}")

    def repository(self, table: Table) -> Repository:
        """The rows of a table of this service."""
        return Repository(self.pool(), table)

    def pool(self) -> PostgresClient:
        """The service's connections to the database; made on first use."""
        if DATABASE not in self.pools:
            size = self.options.get("pool_size", POOL_SIZE)
            self.pools[DATABASE] = Pool(self.names, self.environment.logins[DATABASE], self.name, size)
        return self.pools[DATABASE]

    async def serve(self, request: Request, operation: Endpoint, function: Callable[..., Awaitable[Any]]) -> Response:
        """Answer a request of an operation: rules first, then its arguments, then the handler."""
        started = time.perf_counter()
        status = "undeclared"
        method = f"{operation.verb} {self.base}{operation.path}"
        try:
            call = self._admitted(request)
            arguments = _arguments(request, operation)
            place = _place(function)
            call.log.info(f"[{function.__name__}][{request.method} {request.path}]", **place)
            answer = await function(call.service, call, *arguments)
            if isinstance(answer, dict) and answer.get("status") == 0:
                call.log.warning(f"[{function.__name__}][{answer.get('msg')}]", **place)
            status = "ok"
            return _response(answer, operation.status)
        except _Refused as refused:
            status = "declared"
            return refused.response
        except (HttpFailure, WrongTypeError) as failure:
            status = "declared"
            return self._failed(request, failure)
        finally:
            if context_of(request).sampled:
                self.metrics.server_call(method, status, time.perf_counter() - started)

    async def fallback(self, request: Request, allowed: list[str]) -> Response:
        """No operation: 403 when the rules say so, else 404, or 405 for a path that takes other methods."""
        try:
            self._admitted(request)
        except _Refused as refused:
            return refused.response
        except HttpFailure as failure:
            return self._failed(request, failure)
        if not allowed:
            return error_response(request, 404)
        header = ("Allow", ",".join(sorted({*allowed, "OPTIONS"} | ({"HEAD"} if "GET" in allowed else set()))))
        if request.method == "OPTIONS":
            return Response(200, b"", (header, *failures.SECURITY_HEADERS))
        return error_response(request, 405, (header,))

    async def crashed(self, request: Request, error: Exception) -> Response:
        """A handler raised: the log has the reason, the client learns only that."""
        kind = type(error).__name__
        lost = "; nested exception" if isinstance(error, _LOST) else ""
        context_of(request).log.error(f"Request processing failed{lost}: {kind}: {error}")
        return error_response(request, 500)

    def _admitted(self, request: Request) -> Call:
        if not self.checks_tokens:
            return Call(self, context_of(request), request, None)
        if any(text in request.path for text in _NOT_IN_PATHS):
            raise HttpFailure(400, "the path holds what the firewall refuses")
        try:
            identity = access.identify(request.header("authorization"))
        except access.BadTokenError as error:
            context_of(request).log.warning(f"JWT is not valid: {error}")
            raise _Refused(Response(403, b"", failures.SECURITY_HEADERS)) from None
        path = request.path.removeprefix(self.base)
        if not access.allowed(self.rules, request.method, path, identity):
            raise _Refused(error_response(request, 403))
        return Call(self, context_of(request), request, identity)

    def _failed(self, request: Request, failure: Exception) -> Response:
        status = failure.status if isinstance(failure, HttpFailure) else 400
        context_of(request).log.warning(f"Resolved [{type(failure).__name__}: {failure}]")
        return error_response(request, status)


class _Refused(Exception):  # noqa: N818 - carries an answer
    """The rules or the token refuse the request."""

    def __init__(self, response: Response) -> None:
        super().__init__("access denied")
        self.response = response


def _arguments(request: Request, operation: Endpoint) -> list[Any]:
    values = {name: unquote(value) for name, value in request.params.items()}
    for name, kind in operation.converters:
        values[name] = _converted(values[name], kind)
    arguments: list[Any] = [values[name] for name in re.findall(r"\{(\w+)\}", operation.path)]
    if operation.body is not None:
        arguments.append(_body(request, operation.body))
    return arguments


def _converted(text: str, kind: str) -> Any:
    if kind == "number":
        return read_number(text or "none")
    if kind == "flag":
        if text.lower() not in ("true", "false", "on", "off", "yes", "no", "1", "0"):
            raise WrongTypeError(f"{text!r:.60} is no truth value")
        return text.lower() in ("true", "on", "yes", "1")
    if re.fullmatch(r"[+-]?\d{1,10}", text) is None or not INT_MIN <= int(text) <= INT_MAX:
        raise WrongTypeError(f"{text!r:.60} is no 32-bit number")
    return int(text)


def _body(request: Request, kind: Kind | Entity) -> Any:
    given = request.header("content-type").partition(";")[0].strip().lower()
    if given != "application/json" and not given.endswith("+json") and (given or request.body):
        raise HttpFailure(415, f"content type {given!r:.60} not supported")
    try:
        value = orjson.loads(request.body)
    except ValueError as error:
        raise HttpFailure(400, f"the body is no JSON: {error}") from None
    if value is None:
        raise HttpFailure(400, "the body is missing")
    return kind.read(value)


def _response(answer: Any, status: int) -> Response:
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, str):
        return Response(status, answer.encode(), TEXT_HEADERS)
    if answer is None:
        return Response(status, b"", failures.SECURITY_HEADERS)
    return Response(status, orjson.dumps(answer), JSON_HEADERS)


@functools.cache
def _place(function: Callable[..., Any]) -> dict[str, Any]:
    """Where a handler is, for the log lines written on its behalf."""
    code = function.__code__
    return {
        "code.filepath": source_path(code.co_filename),
        "code.lineno": code.co_firstlineno,
        "code.function": code.co_name,
    }
