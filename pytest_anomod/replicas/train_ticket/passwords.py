"""Passwords of accounts: salted and hashed as the standard library can, in place of the original's bcrypt."""

import base64
import hashlib
import hmac
import secrets

ROUNDS = 1000  # few: every user of a workload logs in, and nothing here is worth guarding


def encode(password: str, salt: bytes | None = None) -> str:
    """What is stored for a password."""
    salt = salt or secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "replace"), salt, ROUNDS)
    return f"$pbkdf2${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def matches(password: str, stored: str) -> bool:
    """Whether a password is the one that was stored."""
    pieces = stored.split("$")
    if len(pieces) != 5:
        return False
    return hmac.compare_digest(encode(password, base64.b64decode(pieces[3])), stored)
