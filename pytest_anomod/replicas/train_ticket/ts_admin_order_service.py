"""ts-admin-order-service."""

from .backend import Backend


class Empty(Backend):
    """Empty."""


SERVICE = Empty
