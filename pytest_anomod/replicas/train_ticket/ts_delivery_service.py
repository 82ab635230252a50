"""ts-delivery-service: consumer of the queue food_delivery; it has no operations."""

from .access import OPEN
from .backend import Backend


class DeliveryService(Backend):
    """Consumer of the queue food_delivery; it has no operations."""

    rules = OPEN


SERVICE = DeliveryService
