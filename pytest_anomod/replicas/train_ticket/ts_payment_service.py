"""ts-payment-service: payment outside of the system."""

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import MONEY, OUTSIDE_MONEY, PAYMENT, PAYMENTS
from .envelope import Envelope, found, ok, refused
from .rail import Row


class PaymentService(Backend):
    """A table of payments, at most one an order, and one of money added."""

    base = "/api/v1/paymentservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Payment Service ] !")

    async def start(self) -> None:
        """Name the tables."""
        self.payments = self.repository(PAYMENTS)
        self.money = self.repository(MONEY)
        await super().start()

    @endpoint("POST", "/payment", body=PAYMENT)
    async def pay(self, call: Call, info: Row) -> Envelope:
        """Pay an order; the refusal of a second payment has the wrong words in the original."""
        paid = await self.payments.find(call, orderId=info["orderId"])
        if len(paid) > 1:
            raise ValueError(f"query did not return a unique result: {len(paid)}")
        if paid:
            return refused(f"Pay Failed, order not found with order id{info['orderId']}")
        await self.payments.insert(call, info)
        return ok("Pay Success")

    @endpoint("POST", "/payment/money", body=PAYMENT)
    async def add_money(self, call: Call, info: Row) -> Envelope:
        """Add money to an account."""
        row = OUTSIDE_MONEY.new(userId=info["userId"], money=info["price"])
        return ok("Add Money Success", await self.money.insert(call, row))

    @endpoint("GET", "/payment")
    async def query(self, call: Call) -> Envelope:
        """Every payment."""
        return found(await self.payments.find(call), "Query Success", "No Content")


SERVICE = PaymentService
