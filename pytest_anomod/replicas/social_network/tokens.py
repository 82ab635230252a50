"""The login token: a JWT signed with HS256, made by user-service and checked by the gateway."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

SECRET = b"secret"
TTL_S = 3600
COOKIE_LIFE_S = 86_400


class InvalidTokenError(ValueError):
    """The token is malformed or its signature does not match; the text is the reason told to the client."""


class ExpiredTokenError(ValueError):
    """The token was good, but its timestamp plus its time to live has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a valid token speaks for."""

    user_id: int
    username: str


def issue(user_id: int, username: str, now_s: int) -> str:
    """A token for one user, valid from now_s (seconds since 1970) for an hour."""
    claims = {"user_id": str(user_id), "username": username, "timestamp": str(now_s), "ttl": str(TTL_S)}
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    return f"{signed}.{_signature(signed)}"


def verify(token: str, now_s: float) -> Identity:
    """The identity in a token; raises `InvalidTokenError` or `ExpiredTokenError`."""
    pieces = token.split(".")
    if len(pieces) != 3:
        msg = "invalid jwt string"
        raise InvalidTokenError(msg)
    if not hmac.compare_digest(_signature(f"{pieces[0]}.{pieces[1]}").encode(), pieces[2].encode("utf-8", "replace")):
        msg = f"signature mismatch: {pieces[2]}"
        raise InvalidTokenError(msg)
    claims = _decoded(pieces[1])
    try:
        expires_s = int(claims["timestamp"]) + int(claims["ttl"])
        identity = Identity(user_id=int(claims["user_id"]), username=str(claims["username"]))
    except (KeyError, TypeError, ValueError) as error:
        msg = "invalid jwt claims"
        raise InvalidTokenError(msg) from error
    if expires_s < now_s:
        msg = "Login token expired, please log in again"
        raise ExpiredTokenError(msg)
    return identity


def _signature(signed: str) -> str:
    return _base64url(hmac.new(SECRET, signed.encode("utf-8", "replace"), hashlib.sha256).digest())


def _encoded(value: dict[str, str]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(piece: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4)))
    except (binascii.Error, ValueError) as error:
        msg = "invalid jwt string"
        raise InvalidTokenError(msg) from error
    if not isinstance(value, dict):
        msg = "invalid jwt string"
        raise InvalidTokenError(msg)
    return value
