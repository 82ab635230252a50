"""ts-rebook-service: change a paid ticket."""

from .access import MEMBERS
from .backend import Backend, welcome


class RebookService(Backend):
    """Change a paid ticket."""

    base = "/api/v1/rebookservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Rebook Service ] !")


SERVICE = RebookService
