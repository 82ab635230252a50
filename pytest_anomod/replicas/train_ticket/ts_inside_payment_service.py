"""ts-inside-payment-service: balances and payment inside the system."""

from decimal import Decimal

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import ACCOUNT_INFO, INSIDE_MONEY, INSIDE_MONEY_ROW, INSIDE_PAYMENT, INSIDE_PAYMENTS, PAYMENT_INFO
from .envelope import Envelope, found, ok, refused
from .money import ZERO, amount, less, total
from .rail import NOT_PAID, PAID, Row, line_of

ADDED, DRAWN_BACK = "A", "D"
PAID_INSIDE, PAID_OUTSIDE, DIFFERENCE = "P", "O", "E"


class InsidePaymentService(Backend):
    """A table of what accounts were given and one of what they paid; the balance is what is between."""

    base = "/api/v1/inside_pay_service"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ InsidePayment Service ] !")

    async def start(self) -> None:
        """Name the tables."""
        self.payments = self.repository(INSIDE_PAYMENTS)
        self.money = self.repository(INSIDE_MONEY)
        await super().start()

    @endpoint("POST", "/inside_payment", body=PAYMENT_INFO)
    async def pay(self, call: Call, info: Row) -> Envelope:
        """Pay an order: from the account's balance, or outside of the system when that is too small."""
        line = line_of(info["tripId"])
        found_order = await call.get(line.orders, f"{line.order}/{{orderId}}", info["orderId"])
        if found_order["status"] != 1:
            return refused("Payment Failed, Order Not Exists")
        order = found_order["data"]
        if order["status"] != NOT_PAID:
            return refused("Error. Order status Not allowed to Pay.")
        spent, credit = await self._spent_and_credit(call, info["userId"], order["price"])
        if spent > credit:
            return await self._pay_outside(call, info, order["price"])
        await self._set_paid(call, info)
        await self._store(call, info, order["price"], PAID_INSIDE)
        return ok("Payment Success")

    @endpoint("POST", "/inside_payment/account", body=ACCOUNT_INFO)
    async def create_account(self, call: Call, info: Row) -> Envelope:
        """Open an account with some money."""
        if await self.money.find(call, userId=info["userId"]):
            return refused("Create Account Failed, Account already Exists")
        await self._give(call, info["userId"], info["money"], ADDED)
        return ok("Create Account Success")

    @endpoint("GET", "/inside_payment/{userId}/{money}")
    async def add_money(self, call: Call, user_id: str, money: str) -> Envelope:
        """Add to an account, known or not."""
        await self._give(call, user_id, money, ADDED)
        return ok("Add Money Success")

    @endpoint("GET", "/inside_payment/drawback/{userId}/{money}")
    async def draw_back(self, call: Call, user_id: str, money: str) -> Envelope:
        """Give money back to an account, known or not."""
        await self._give(call, user_id, money, DRAWN_BACK)
        return ok("Draw Back Money Success")

    @endpoint("GET", "/inside_payment/payment")
    async def query_payment(self, call: Call) -> Envelope:
        """Every payment."""
        return found(await self.payments.find(call), "Query Payment Success", "Query Payment Failed")

    @endpoint("GET", "/inside_payment/account")
    async def query_account(self, call: Call) -> Envelope:
        """The balance of every account; money that is no number is a 500."""
        given: dict[str, list[str]] = {}
        for row in await self.money.find(call):
            given.setdefault(row["userId"], []).append(row["money"])
        balances = []
        for user_id, texts in given.items():
            paid = await self.payments.find(call, userId=user_id)
            balance = less(total(texts), total(row["price"] for row in paid))
            balances.append({"userId": user_id, "balance": str(balance)})
        return ok("Success", balances)

    @endpoint("POST", "/inside_payment/difference", body=PAYMENT_INFO)
    async def pay_difference(self, call: Call, info: Row) -> Envelope:
        """Pay what a changed ticket costs more."""
        spent, credit = await self._difference_sums(call, info)
        if spent > credit:
            answer = await self._ask_payment_service(call, info, info["price"])
            if answer["status"] != 1:
                return refused("Pay Difference Failed")
        await self._store(call, info, info["price"], DIFFERENCE)
        return ok("Pay Difference Success")

    @endpoint("GET", "/inside_payment/money")
    async def query_add_money(self, call: Call) -> Envelope:
        """Whether anybody was given money; the rows themselves are left out."""
        return ok("Query Money Success") if await self.money.find(call) else refused("Query money failed")

    async def _pay_outside(self, call: Call, info: Row, price: str) -> Envelope:
        answer = await self._ask_payment_service(call, info, price)
        if answer["status"] != 1:
            return refused(f"Payment Failed:  {answer['msg']}")
        await self._store(call, info, price, PAID_OUTSIDE)
        await self._set_paid(call, info)
        return ok(f"Payment Success {answer['msg']}")

    async def _ask_payment_service(self, call: Call, info: Row, price: str) -> Envelope:
        payment = {"orderId": info["orderId"], "userId": info["userId"], "price": price}
        return await call.post("ts-payment-service", "/api/v1/paymentservice/payment", body=payment)

    async def _set_paid(self, call: Call, info: Row) -> None:
        line = line_of(info["tripId"])
        await call.get(line.orders, f"{line.order}/status/{{orderId}}/{{status}}", info["orderId"], PAID)

    async def _spent_and_credit(self, call: Call, user_id: str | None, price: str) -> tuple[Decimal, Decimal]:
        """What an account will have spent with a price, and what it was given."""
        payments = await self.payments.find(call, userId=user_id)
        given = await self.money.find(call, userId=user_id)
        spent = total([*(row["price"] for row in payments), price])
        return spent, total(row["money"] for row in given)

    async def _difference_sums(self, call: Call, info: Row) -> tuple[Decimal, Decimal]:
        """The two sums of a difference, both zero: the original adds up and then drops the results."""
        for row in await self.payments.find(call, userId=info["userId"]):
            amount(row["price"])
        amount(info["price"])
        for row in await self.money.find(call, userId=info["userId"]):
            amount(row["money"])
        return ZERO, ZERO

    async def _give(self, call: Call, user_id: str | None, money: str | None, kind: str) -> None:
        await self.money.insert(call, INSIDE_MONEY_ROW.new(userId=user_id, money=money, type=kind))

    async def _store(self, call: Call, info: Row, price: str, kind: str) -> None:
        row = INSIDE_PAYMENT.new(orderId=info["orderId"], userId=info["userId"], price=price, type=kind)
        await self.payments.insert(call, row)


SERVICE = InsidePaymentService
