"""ts-cancel-service: cancel an order and give money back."""

from .access import MEMBERS
from .backend import Backend, welcome


class CancelService(Backend):
    """Cancel an order and give money back."""

    base = "/api/v1/cancelservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Cancel Service ] !")


SERVICE = CancelService
