"""ts-cancel-service: cancel an order and give money back."""

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .dates import now, parse
from .envelope import Envelope, ok, refused
from .rail import CANCELLED, CHANGED, FAST, NOT_PAID, OTHER, PAID, Line, Row

KEPT_YEARS = 1900  # the original's calendar adds them to the year of departure
REFUND = 0.8


class CancelService(Backend):
    """Has no table of its own; an order is looked for on the fast line, then on the other."""

    base = "/api/v1/cancelservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Cancel Service ] !")

    @endpoint("GET", "/cancel/refound/{orderId}")
    async def calculate(self, call: Call, order_id: str) -> Envelope:
        """What one would get back; each line has its own words for it."""
        found_order = await self.order(call, FAST, order_id)
        if found_order["status"] == 1:
            order = found_order["data"]
            if order["status"] not in (NOT_PAID, PAID):
                return refused("Order Status Cancel Not Permitted, Refound error")
            return ok("Success. Refoud 0", "0") if order["status"] == NOT_PAID else ok("Success. ", refund(order))
        found_order = await self.order(call, OTHER, order_id)
        if found_order["status"] == 1:
            order = found_order["data"]
            if order["status"] not in (NOT_PAID, PAID):
                return refused("Order Status Cancel Not Permitted")
            return ok("Success, Refound 0", "0") if order["status"] == NOT_PAID else ok("Success", refund(order))
        return refused("Order Not Found")

    @endpoint("GET", "/cancel/{orderId}/{loginId}")
    async def cancel_ticket(self, call: Call, order_id: str, login_id: str) -> Envelope:
        """Cancel an order; whatever goes wrong is hidden behind one answer, as it is in the original."""
        try:
            return await self.cancel_order(call, order_id, login_id)
        except Exception as error:
            # the original catches everything here and calls it done
            call.log.error(f"[cancelTicket][{order_id}][{type(error).__name__}: {error}]")
            return ok("error")

    async def cancel_order(self, call: Call, order_id: str, login_id: str) -> Envelope:
        """Cancel an order of either line."""
        found_order = await self.order(call, FAST, order_id)
        if found_order["status"] == 1:
            return await self.cancel_fast(call, found_order["data"], login_id)
        found_order = await self.order(call, OTHER, order_id)
        if found_order["status"] == 1:
            return await self.cancel_other(call, found_order["data"], login_id)
        return refused("Order Not Found.")

    async def cancel_fast(self, call: Call, order: Row, login_id: str) -> Envelope:
        """Cancel, give money back, and look up the owner for a mail that is switched off."""
        if not cancellable(order):
            return refused("Order Status Cancel Not Permitted")
        order["status"] = CANCELLED
        changed = await self.change(call, FAST, order)
        if changed["status"] != 1:
            return refused(changed["msg"])
        if await self.draw_back(call, refund(order), login_id):
            path = "/api/v1/userservice/users/id/{userId}"
            user = await call.get("ts-user-service", path, order["accountId"])
            if user["status"] == 0:
                return refused("Cann't find userinfo by user id.")
        else:
            call.log.error(f"[cancelOrder][Draw Back Money Failed][{order['id']}]")
        return ok("Success.", "test not null")

    async def cancel_other(self, call: Call, order: Row, login_id: str) -> Envelope:
        """Cancel and give money back."""
        if not cancellable(order):
            return refused("Order Status Cancel Not Permitted")
        order["status"] = CANCELLED
        changed = await self.change(call, OTHER, order)
        if changed["status"] != 1:
            return refused(f"Fail.Reason:{changed['msg']}")
        if not await self.draw_back(call, refund(order), login_id):
            call.log.error(f"[cancelOrder][Draw Back Money Failed][{order['id']}]")
        return ok("Success.")

    async def order(self, call: Call, line: Line, order_id: str) -> Envelope:
        """An order of a line."""
        return await call.get(line.orders, f"{line.order}/{{orderId}}", order_id)

    async def change(self, call: Call, line: Line, order: Row) -> Envelope:
        """Store a changed order."""
        return await call.put(line.orders, line.order, body=order)

    async def draw_back(self, call: Call, money: str, user_id: str) -> bool:
        """Give money to an account."""
        path = "/api/v1/inside_pay_service/inside_payment/drawback/{userId}/{money}"
        answer = await call.get("ts-inside-payment-service", path, user_id, money)
        return answer["status"] == 1


def cancellable(order: Row) -> bool:
    """Whether an order's state allows to cancel it."""
    return order["status"] in (NOT_PAID, PAID, CHANGED)


def refund(order: Row) -> str:
    """What one gets back: 80 % of the price, nothing for an order not paid or a train that has left.

    A train never has left, because of the years above; and an order being cancelled no longer counts as not paid.
    """
    if order["status"] == NOT_PAID:
        return "0.00"
    date, time = parse(order["travelDate"]), parse(order["travelTime"])
    departure = (date.year + KEPT_YEARS, date.month, date.day, time.hour, time.minute, time.second)
    if now().timetuple()[:6] > departure:
        return "0"
    return f"{float(order['price']) * REFUND:.2f}"


SERVICE = CancelService
