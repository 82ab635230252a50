"""ts-payment-service: payment outside of the system."""

from .access import MEMBERS
from .backend import Backend, welcome


class PaymentService(Backend):
    """Payment outside of the system."""

    base = "/api/v1/paymentservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Payment Service ] !")


SERVICE = PaymentService
