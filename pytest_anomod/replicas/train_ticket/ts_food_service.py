"""ts-food-service: food orders and what food there is on a trip."""

from .access import OPEN
from .backend import Backend, welcome


class FoodService(Backend):
    """Food orders and what food there is on a trip."""

    base = "/api/v1/foodservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Food Service ] !")


SERVICE = FoodService
