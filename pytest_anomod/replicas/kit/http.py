"""Requests, responses and routes: the values that HTTP handlers meet, free of sockets."""

import re
from bisect import insort
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pytest_anomod.replicas.kit.spans import Context

REASONS: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}

# filled in by the server, at the place where a handler named them
FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})


@dataclass(slots=True)
class Request:
    """One request as it came in. `headers` keep their order, names in lower case; `path` is still percent-encoded."""

    method: str
    target: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    version: str = "1.1"
    keep_alive: bool = True
    params: dict[str, str] = field(default_factory=dict)
    ctx: "Context | None" = None

    def header(self, name: str, default: str = "") -> str:
        """The first header of that name (lower case), or the default."""
        for key, value in self.headers:
            if key == name:
                return value
        return default

    def json(self) -> object:
        """The body as JSON; `orjson.JSONDecodeError` (a ValueError) when it is none."""
        return orjson.loads(self.body)


@dataclass(slots=True)
class Response:
    """An answer. Headers go out in the given order.

    The server adds the framing headers (Content-Length or Transfer-Encoding, then Connection) at the end, or fills them
    in where the handler listed them. `chunked` sends the body in chunks, as does an async iterator for a body.
    """

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: Sequence[tuple[str, str]] = ()
    chunked: bool = False
    reason: str = ""
    close: bool = False


def json_response(value: object, status: int = 200) -> Response:
    """An `application/json` response of a value."""
    return Response(status, orjson.dumps(value), (("Content-Type", "application/json"),))


def text_response(text: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
    """A text response."""
    return Response(status, text.encode(), (("Content-Type", content_type),))


RouteHandler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A method ("*" for any) and path with `{name}` for one segment or a last `{name:path}` for the rest."""

    method: str
    path: str
    handler: RouteHandler
    span: str = ""

    @property
    def pattern(self) -> "re.Pattern[str]":
        """The path as a regular expression with named groups."""
        parts = re.split(r"\{(\w+)(:path)?\}", self.path)
        pattern = re.escape(parts[0])
        for name, rest, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            pattern += f"(?P<{name}>{'.*' if rest else '[^/]+'})" + re.escape(literal)
        return re.compile(pattern + r"\Z")


class Router:
    """Finds the route of a request: exact paths by a table, then patterns, those with more literal segments first."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []

    def add(self, route: Route) -> None:
        """Add a route; the first of two equally open patterns wins, the last of two equal exact paths."""
        if "{" in route.path:
            insort(self._patterns, (route.pattern, route), key=lambda entry: _openness(entry[1].path))
        else:
            self._exact.setdefault(route.path, {})[route.method] = route

    def find(self, request: Request) -> tuple[Route | None, list[str]]:
        """The route, or None and the methods the path would have allowed (empty: no such path)."""
        allowed: list[str] = []
        methods = self._exact.get(request.path)
        if methods is not None:
            route = _by_method(methods, request.method)
            if route is not None:
                return route, []
            allowed += methods
        for pattern, route in self._patterns:
            match = pattern.match(request.path)
            if match is None:
                continue
            if _by_method({route.method: route}, request.method) is not None:
                request.params = match.groupdict()
                return route, []
            allowed.append(route.method)
        return None, sorted(set(allowed))


def _openness(path: str) -> list[int]:
    """What each segment takes: 0 one text, 1 any one segment, 2 all the rest."""
    return [2 if ":path}" in part else "{" in part for part in path.split("/")]


def _by_method(methods: dict[str, Route], method: str) -> Route | None:
    found = methods.get(method) or methods.get("*")
    # a HEAD request is answered by the GET handler; the server leaves the body out
    return found or (methods.get("GET") if method == "HEAD" else None)
