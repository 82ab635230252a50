"""A token for probes of TrainTicket: services check tokens by themselves, with a key that the original's code holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from pytest_anomod.model import clock

KEY = b"secret"
LIFE_S = 3_600


def administrator_headers() -> dict[str, str]:
    """The header of an administrator: made here, so that no login shows up in the system that is watched."""
    now_s = clock.now_ns() // clock.NS_PER_S
    claims = {"sub": "admin", "roles": ["ROLE_ADMIN"], "id": "admin", "iat": now_s, "exp": now_s + LIFE_S}
    signed = f"{_encoded({'alg': 'HS256'})}.{_encoded(claims)}"
    signature = _base64url(hmac.digest(KEY, signed.encode(), hashlib.sha256))
    return {"Authorization": f"Bearer {signed}.{signature}"}


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
