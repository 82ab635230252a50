"""ts-travel2-service: trips of Z, T and K trains, left tickets, trip detail."""

from .access import OPEN
from .backend import Backend, welcome


class Travel2Service(Backend):
    """Trips of Z, T and K trains, left tickets, trip detail."""

    base = "/api/v1/travel2service"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Travle2 Service ] !")


SERVICE = Travel2Service
