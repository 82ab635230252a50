"""nginx's own answers: the HTML pages of its status codes and the static pages below /."""

from functools import cache
from pathlib import Path

SERVER = "openresty/1.15.8.1rc1"
HTML = "text/html"

REASONS = {
    302: "302 Found",
    400: "400 Bad Request",
    401: "401 Authorization Required",
    404: "404 Not Found",
    405: "405 Not Allowed",
    413: "413 Request Entity Too Large",
    500: "500 Internal Server Error",
}

CONTENT_TYPES = {".html": HTML, ".css": "text/css", ".js": "application/javascript"}

_STATIC = Path(__file__).with_name("static")


@cache
def status_page(status: int, server: str = SERVER) -> bytes:
    """The page nginx makes up for a status code."""
    title = REASONS[status]
    lines = [
        "<html>",
        f"<head><title>{title}</title></head>",
        "<body>",
        f"<center><h1>{title}</h1></center>",
        f"<hr><center>{server}</center>",
        "</body>",
        "</html>",
        "",
    ]
    return "\r\n".join(lines).encode()


@cache
def static_files() -> dict[str, tuple[str, bytes]]:
    """Content type and bytes of every static page, by request path; read once."""
    files = {}
    for file in sorted(_STATIC.rglob("*")):
        if file.is_file():
            path = "/" + file.relative_to(_STATIC).as_posix()
            files[path] = (CONTENT_TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes())
    files["/"] = files["/index.html"]
    return files
