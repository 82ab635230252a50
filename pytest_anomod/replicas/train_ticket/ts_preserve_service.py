"""ts-preserve-service: book a ticket of a G or D train."""

from .access import MEMBERS
from .backend import Backend, welcome


class PreserveService(Backend):
    """Book a ticket of a G or D train."""

    base = "/api/v1/preserveservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Preserve Service ] !")


SERVICE = PreserveService
