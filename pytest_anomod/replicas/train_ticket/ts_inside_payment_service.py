"""ts-inside-payment-service: balances and payment inside the system."""

from .access import MEMBERS
from .backend import Backend, welcome


class InsidePaymentService(Backend):
    """Balances and payment inside the system."""

    base = "/api/v1/inside_pay_service"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ InsidePayment Service ] !")


SERVICE = InsidePaymentService
