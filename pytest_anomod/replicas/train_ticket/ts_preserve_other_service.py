"""ts-preserve-other-service: book a ticket of a Z, T or K train."""

from .access import MEMBERS
from .backend import Backend, welcome


class PreserveOtherService(Backend):
    """Book a ticket of a Z, T or K train."""

    base = "/api/v1/preserveotherservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ PreserveOther Service ] !")


SERVICE = PreserveOtherService
