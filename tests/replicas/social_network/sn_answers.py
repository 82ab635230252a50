"""What the gateway's answers look like, and login tokens made by hand."""

import base64
import hashlib
import hmac
import json
import time

STREAM = "application/octet-stream"
JSON = "application/json; charset=utf-8"


def token_of(user_id: int, username: str, timestamp: int, secret: bytes = b"secret") -> str:
    """A login token made by hand."""

    def encoded(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    claims = {"user_id": str(user_id), "username": username, "timestamp": str(timestamp), "ttl": "3600"}
    signed = f"{encoded(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def cookie_of(user_id: int, username: str = "someone", age_s: int = 0, secret: bytes = b"secret") -> dict[str, str]:
    """The Cookie header of who is logged in."""
    return {"Cookie": f"login_token={token_of(user_id, username, int(time.time()) - age_s, secret)}"}


def is_page(answer, status: int) -> bool:
    """nginx's own HTML page, with a length."""
    return (
        answer.status_code == status
        and answer.headers["Content-Type"] == "text/html"
        and f"<center><h1>{status} " in answer.text
        and "Content-Length" in answer.headers
    )


def is_text(answer, status: int, text: str, content_type: str = STREAM) -> bool:
    """A text of a Lua handler: chunked, no length."""
    return (
        answer.status_code == status
        and answer.text == text
        and answer.headers["Content-Type"] == content_type
        and answer.headers["Transfer-Encoding"] == "chunked"
        and "Content-Length" not in answer.headers
    )
