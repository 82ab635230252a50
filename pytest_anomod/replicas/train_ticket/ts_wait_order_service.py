"""ts-wait-order-service: a waiting list."""

from .access import ANY_TOKEN
from .backend import Backend, welcome


class WaitOrderService(Backend):
    """A waiting list."""

    base = "/api/v1/waitorderservice"
    rules = ANY_TOKEN
    welcome = welcome("/welcome", "Welcome to [ Wait Order Service ] !")


SERVICE = WaitOrderService
