"""ts-food-delivery-service: food orders delivered to a seat."""

from .access import OPEN
from .backend import Backend, welcome


class FoodDeliveryService(Backend):
    """Food orders delivered to a seat."""

    base = "/api/v1/fooddeliveryservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ food delivery service ] !")


SERVICE = FoodDeliveryService
