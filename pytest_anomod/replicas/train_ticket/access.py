"""Who may do what: the bearer token every service checks itself, and rules by path where the first match decides."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

KEY = b"secret"
LIFE_S = 2_592_000  # 30 days
USER, ADMIN = "ROLE_USER", "ROLE_ADMIN"


class BadTokenError(ValueError):
    """A token that is malformed, wrongly signed or expired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a valid token speaks for."""

    username: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may use the requests it matches: `roles` None is everyone, () any valid token, else one of the roles.

    `pattern` is a path below the service's base, or with "/**" at its end that path and all below; `verbs` () is all.
    """

    pattern: str
    roles: tuple[str, ...] | None = None
    verbs: tuple[str, ...] = ()
    prefix: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Keep what precedes the "/**"."""
        if self.pattern.endswith("/**"):
            object.__setattr__(self, "prefix", self.pattern[:-3])

    def matches(self, verb: str, path: str) -> bool:
        """Whether the rule is about this request; `path` is what follows the base."""
        if self.verbs and verb not in self.verbs:
            return False
        if not self.pattern.endswith("/**"):
            return path == self.pattern
        return path == self.prefix or path.startswith(f"{self.prefix}/")


def everyone(pattern: str, *verbs: str) -> Rule:
    """A rule that opens."""
    return Rule(pattern=pattern, verbs=verbs)


def only(roles: tuple[str, ...] | str, pattern: str, *verbs: str) -> Rule:
    """A rule that asks for one of these roles."""
    return Rule(pattern=pattern, roles=(roles,) if isinstance(roles, str) else roles, verbs=verbs)


OPEN = (everyone("/**"),)
MEMBERS = (only((ADMIN, USER), "/**"),)
ADMINS = (only(ADMIN, "/**"),)
ANY_TOKEN: tuple[Rule, ...] = ()


def allowed(rules: tuple[Rule, ...], verb: str, path: str, identity: Identity | None) -> bool:
    """What the first matching rule says; without one any valid token will do."""
    roles: tuple[str, ...] | None = ()
    for rule in rules:
        if rule.matches(verb, path):
            roles = rule.roles
            break
    if roles is None:
        return True
    return identity is not None and (not roles or any(role in identity.roles for role in roles))


def issue(user_id: str, username: str, roles: list[str], now_s: float | None = None, life_s: int = LIFE_S) -> str:
    """A JWT (HS256) for a user."""
    issued = int(time.time() if now_s is None else now_s)
    claims = {"sub": username, "roles": roles, "id": user_id, "iat": issued, "exp": issued + life_s}
    signed = f"{_encoded({'alg': 'HS256'})}.{_encoded(claims)}"
    return f"{signed}.{_signature(signed)}"


def verify(token: str, now_s: float | None = None) -> Identity:
    """The identity of a token; BadTokenError says why there is none."""
    head, _, signature = token.rpartition(".")
    if head.count(".") != 1:
        raise BadTokenError("JWT strings must contain exactly 2 period characters")
    if not hmac.compare_digest(_signature(head).encode(), signature.encode("utf-8", "replace")):
        raise BadTokenError("JWT signature does not match locally computed signature")
    header, claims = (_decoded(piece) for piece in head.split("."))
    if header.get("alg") != "HS256":
        raise BadTokenError("JWT of another algorithm")
    roles, expires = claims.get("roles"), claims.get("exp")
    if not isinstance(roles, list) or not isinstance(expires, int | float):
        raise BadTokenError("JWT without roles or end")
    if expires < (time.time() if now_s is None else now_s):
        raise BadTokenError("JWT expired")
    return Identity(username=str(claims.get("sub")), roles=tuple(str(role) for role in roles))


def identify(authorization: str) -> Identity | None:
    """The identity in an Authorization header, None when it carries no bearer token; BadTokenError for a bad one."""
    return verify(authorization[7:]) if authorization.startswith("Bearer ") else None


def _signature(signed: str) -> str:
    return _base64url(hmac.digest(KEY, signed.encode("utf-8", "replace"), hashlib.sha256))


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64url(orjson.dumps(value))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(piece: str) -> dict[str, Any]:
    try:
        value = orjson.loads(base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4)))
    except ValueError as error:
        raise BadTokenError("JWT that is no JSON") from error
    if not isinstance(value, dict):
        raise BadTokenError("JWT that is no object")
    return value
