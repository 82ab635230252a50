"""ts-seat-service: seat numbers and left tickets."""

from .access import OPEN
from .backend import Backend, welcome


class SeatService(Backend):
    """Seat numbers and left tickets."""

    base = "/api/v1/seatservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Seat Service ] !")


SERVICE = SeatService
