"""ts-basic-service: joins station, train, route and price of one or many trips."""

from .access import OPEN
from .backend import Backend, welcome


class BasicService(Backend):
    """Joins station, train, route and price of one or many trips."""

    base = "/api/v1/basicservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Basic Service ] !")


SERVICE = BasicService
