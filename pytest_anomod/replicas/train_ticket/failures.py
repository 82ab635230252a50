"""The error answers of the framework: what a client gets when no handler decided the answer.

Bodies are those of Spring Boot 2.3 without messages: {timestamp, status, error, message: "", path}.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from pytest_anomod.replicas.kit.http import REASONS, Request, Response

SECURITY_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-XSS-Protection", "1; mode=block"),
    ("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Expires", "0"),
)
JSON_HEADERS = (("Content-Type", "application/json"), *SECURITY_HEADERS)
TEXT_HEADERS = (("Content-Type", "text/plain;charset=UTF-8"), *SECURITY_HEADERS)


class HttpFailure(Exception):  # noqa: N818 - an answer, not an error of ours
    """Ends a request with a status of the framework; the text goes to the log only."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class PeerFailure(Exception):  # noqa: N818
    """A called service answered with an HTTP error; uncaught it makes this service answer 500."""

    def __init__(self, peer: str, status: int, target: str) -> None:
        super().__init__(f"{status} {REASONS.get(status, '')}: [{target} of {peer}]")
        self.peer = peer
        self.status = status


def error_response(request: Request, status: int, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """The framework's answer of a status."""
    body = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "status": status,
        "error": REASONS.get(status, ""),
        "message": "",
        "path": request.path,
    }
    return Response(status, orjson.dumps(body), (*JSON_HEADERS, *headers))
