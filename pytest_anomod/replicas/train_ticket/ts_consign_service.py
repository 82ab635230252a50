"""ts-consign-service: luggage."""

from .access import MEMBERS
from .backend import Backend, welcome


class ConsignService(Backend):
    """Luggage."""

    base = "/api/v1/consignservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Consign Service ] !")


SERVICE = ConsignService
