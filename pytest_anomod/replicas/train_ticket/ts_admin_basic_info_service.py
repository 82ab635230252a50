"""ts-admin-basic-info-service."""

from .backend import Backend


class Empty(Backend):
    """Empty."""


SERVICE = Empty
