"""ts-execute-service: collect a ticket, enter the station."""

from .access import MEMBERS
from .backend import Backend, welcome


class ExecuteService(Backend):
    """Collect a ticket, enter the station."""

    base = "/api/v1/executeservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Execute Service ] !")


SERVICE = ExecuteService
