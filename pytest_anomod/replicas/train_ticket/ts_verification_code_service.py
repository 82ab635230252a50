"""ts-verification-code-service."""

from .backend import Backend


class Empty(Backend):
    """Empty."""


SERVICE = Empty
