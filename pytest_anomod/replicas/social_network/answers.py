"""The answers of the gateway: texts and JSON in chunks, redirects, CORS headers, and the lines of nginx's error log."""

import time
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import orjson

from pytest_anomod.replicas.kit.http import Request, Response

from . import pages, tokens

STREAM = "application/octet-stream"
PLAIN = "text/plain"
JSON = "application/json; charset=utf-8"

_ALLOWED_HEADERS = "DNT,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range"
_ORIGIN = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", _ALLOWED_HEADERS),
)

Headers = tuple[tuple[str, str], ...]


def headers(content_type: str) -> Headers:
    """The headers every answer of nginx begins with."""
    return (("Server", pages.SERVER), ("Date", formatdate(time.time(), usegmt=True)), ("Content-Type", content_type))


def text(body: str, status: int = 200, content_type: str = STREAM, *, close: bool = False) -> Response:
    """A text of a Lua handler: sent in chunks, so without a length."""
    return Response(status, body.encode(), headers(content_type), chunked=True, close=close)


def json(value: list[dict[str, Any]] | dict[str, Any]) -> Response:
    """A value as lua-cjson writes it: an empty list is an empty object, slashes are escaped."""
    body = orjson.dumps(value or {}).replace(b"/", b"\\/")
    return Response(200, body + b"\n", headers(JSON), chunked=True)


def post(stored: dict[str, Any]) -> dict[str, Any]:
    """A post as clients see it: 64-bit numbers as decimal strings, empty lists as empty objects."""
    creator = stored["creator"]
    mentions = [{"user_id": str(user["user_id"]), "username": user["username"]} for user in stored["user_mentions"]]
    media = [{"media_id": str(item["media_id"]), "media_type": item["media_type"]} for item in stored["media"]]
    return {
        "post_id": str(stored["post_id"]),
        "creator": {"user_id": str(creator["user_id"]), "username": creator["username"]},
        "req_id": str(stored["req_id"]),
        "text": stored["text"],
        "user_mentions": mentions or {},
        "media": media or {},
        "urls": stored["urls"] or {},
        "timestamp": str(stored["timestamp"]),
        "post_type": stored["post_type"],
    }


def page(status: int) -> Response:
    """nginx's own HTML page of a status, with its length."""
    return Response(status, pages.status_page(status), headers(pages.HTML))


def redirect(target: str) -> Response:
    """A 302 page."""
    return Response(302, pages.status_page(302), (*headers(pages.HTML), ("Location", target)))


def logged_in(username: str, token: str, now_s: float) -> Response:
    """The redirect after a login, with the token in a cookie that lives for a day."""
    answer = redirect(f"../../main.html?username={quote(username)}")
    expires = formatdate(now_s + tokens.COOKIE_LIFE_S, usegmt=True)
    answer.headers = (*answer.headers, ("Set-Cookie", f"login_token={token}; Path=/; Expires={expires}"))
    return answer


def preflight() -> Response:
    """The answer to OPTIONS: no content, everything is allowed."""
    return Response(204, b"", (*headers("text/plain; charset=utf-8"), *_ORIGIN, ("Access-Control-Max-Age", "1728000")))


def with_cors(request: Request, answer: Response) -> Response:
    """The answer with CORS headers if it is one below /api/; nginx adds them to successes and redirects only."""
    if request.path.startswith("/api/") and request.method in ("GET", "POST") and answer.status < 400:
        exposed = ("Access-Control-Expose-Headers", "Content-Length,Content-Range")
        answer.headers = (*answer.headers, *_ORIGIN, exposed)
    return answer


def error_line(request: Request, message: str) -> str:
    """A line of nginx's error log about a request."""
    request_line = f"{request.method} {request.target} HTTP/{request.version}"
    return (
        f"[lua] {_lua_file(request)}: {message}, client: 127.0.0.1, server: localhost, "
        f'request: "{request_line}", host: "{request.header("host")}"'
    )


def lua_traceback(request: Request, error: Exception) -> str:
    """What nginx logs when a Lua thread dies: the error and where it came through."""
    place = _lua_file(request)
    lines = [
        f"lua entry thread aborted: runtime error: {place}: {error}",
        "stack traceback:",
        "coroutine 0:",
        "\t[C]: in function 'error'",
        "\tTException.lua:30: in function 'terror'",
        "\tTSocket.lua:68: in function 'open'",
        "\tTFramedTransport.lua:50: in function 'open'",
        "\tGenericObjectPool.lua:21: in function 'connection'",
        f"\t{place}: in function 'handle'",
        "\tcontent_by_lua(nginx.conf:85):3: in main chunk",
    ]
    request_line = f"{request.method} {request.target} HTTP/{request.version}"
    lines.append(f'client: 127.0.0.1, server: localhost, request: "{request_line}", host: "{request.header("host")}"')
    return "\n".join(lines)


def _lua_file(request: Request) -> str:
    """The Lua file of a location and a line in it, such as `compose.lua:87`."""
    name = request.path.rstrip("/").rpartition("/")[2] or "static"
    return f"{name}.lua:{40 + 7 * len(name)}"
