"""ts-travel-service: trips of G and D trains, left tickets, trip detail."""

from .access import ADMIN, everyone, only
from .backend import Backend, welcome


class TravelService(Backend):
    """Trips of G and D trains, left tickets, trip detail."""

    base = "/api/v1/travelservice"
    rules = (only(ADMIN, "/trips", "PUT"), only(ADMIN, "/trips/**", "DELETE"), everyone("/**"))
    welcome = welcome("/welcome", "Welcome to [ Travel Service ] !")


SERVICE = TravelService
