"""ts-order-other-service: orders of Z, T and K trains."""

from typing import Any
from uuid import uuid4

from .access import everyone
from .backend import Backend, endpoint, welcome
from .binding import parse_uuid
from .calls import Call
from .entities import ORDER, ORDER_QUERY, ORDERS_OTHER, SEAT
from .envelope import Envelope, found, ok, refused
from .orders import PAID, matching, same_order, security_counts, sold_ticket, tickets

Row = dict[str, Any]


class OrderOtherService(Backend):
    """Orders by id, account, and train with date. All of it is open but the greeting."""

    base = "/api/v1/orderOtherService"
    rules = (everyone("/orderOther/**"),)
    welcome = welcome("/welcome", "Welcome to [ Order Other Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.orders = self.repository(ORDERS_OTHER)
        await super().start()

    @endpoint("POST", "/orderOther/tickets", body=SEAT)
    async def get_tickets_list_by_date(self, call: Call, seat: Row) -> Envelope:
        """The tickets sold for a train on a day."""
        sold = await tickets(self.orders, call, seat)
        return ok("Success", {"soldTickets": sold}) if sold else refused("Seat is Null.")

    @endpoint("POST", "/orderOther", body=ORDER)
    async def create(self, call: Call, order: Row) -> Envelope:
        """A new order; the id in the answer is not the one that is stored."""
        known = await same_order(self.orders, call, order)
        if known is not None:
            return refused("Order already exist", known)
        await self.orders.insert(call, order)
        return ok("Success", {**order, "id": str(uuid4())})

    @endpoint("POST", "/orderOther/admin", body=ORDER)
    async def add_new_order(self, call: Call, order: Row) -> Envelope:
        """A new order for an administrator; the id in the answer is not the one that is stored."""
        if await same_order(self.orders, call, order) is not None:
            return refused("Order already exist")
        await self.orders.insert(call, order)
        return ok("Success", {**order, "id": str(uuid4())})

    @endpoint("POST", "/orderOther/query", body=ORDER_QUERY)
    async def query_orders(self, call: Call, query: Row) -> Envelope:
        """Orders of an account."""
        return ok("Get order num", await self._matching(call, query))

    @endpoint("POST", "/orderOther/refresh", body=ORDER_QUERY)
    async def query_orders_for_refresh(self, call: Call, query: Row) -> Envelope:
        """Orders of an account, as the page of orders asks for them."""
        return ok("Success", await self._matching(call, query))

    async def _matching(self, call: Call, query: Row) -> list[Row]:
        return matching(await self.orders.find(call, accountId=query["loginId"]), query)

    @endpoint("GET", "/orderOther/{travel_date}/{train_number}")
    async def calculate_sold_ticket(self, call: Call, travel_date: str, train_number: str) -> Envelope:
        """Tickets sold for a train on a day, by class."""
        return ok("Success", await sold_ticket(self.orders, call, travel_date, train_number))

    @endpoint("GET", "/orderOther/price/{order_id}")
    async def get_order_price(self, call: Call, order_id: str) -> Envelope:
        """The price of an order."""
        order = await self.orders.one(call, id=order_id)
        return ok("Success", order["price"]) if order else refused("Order Not Found", "-1.0")

    @endpoint("GET", "/orderOther/orderPay/{order_id}")
    async def pay_order(self, call: Call, order_id: str) -> Envelope:
        """Mark an order as paid."""
        order = await self._with_status(call, order_id, PAID)
        return found(order, "Success", "Order Not Found")

    @endpoint("GET", "/orderOther/{order_id}")
    async def get_order_by_id(self, call: Call, order_id: str) -> Envelope:
        """One by id."""
        return found(await self.orders.one(call, id=order_id), "Success", "Order Not Found")

    @endpoint("GET", "/orderOther/status/{order_id}/{status:int}")
    async def modify_order(self, call: Call, order_id: str, status: int) -> Envelope:
        """Give an order another status."""
        order = await self._with_status(call, order_id, status)
        return found(order, "Success", "Order Not Found")

    async def _with_status(self, call: Call, order_id: str, status: int) -> Row | None:
        order = await self.orders.one(call, id=order_id)
        if order is None:
            return None
        order["status"] = status
        await self.orders.update(call, order)
        return order

    @endpoint("GET", "/orderOther/security/{check_date}/{account_id}")
    async def security_info_check(self, call: Call, check_date: str, account_id: str) -> Envelope:
        """How many orders an account has, for the security check."""
        counts = await security_counts(self.orders, call, check_date, account_id)
        return ok("Success", counts)

    @endpoint("PUT", "/orderOther", body=ORDER)
    async def save_order_info(self, call: Call, order: Row) -> Envelope:
        """Write over a known order."""
        return await self._written(call, order, "Success", "Order Not Found")

    @endpoint("PUT", "/orderOther/admin", body=ORDER)
    async def update_order(self, call: Call, order: Row) -> Envelope:
        """Write over a known order, for an administrator."""
        return await self._written(call, order, "Success", "Order Not Found")

    async def _written(self, call: Call, order: Row, done: str, none: str) -> Envelope:
        if await self.orders.get(call, order["id"]) is None:
            return refused(none)
        await self.orders.update(call, order)
        return ok(done, order)

    @endpoint("DELETE", "/orderOther/{order_id}")
    async def delete_order(self, call: Call, order_id: str) -> Envelope:
        """Delete one; what is no UUID is an exception."""
        key = parse_uuid(order_id)
        order = await self.orders.one(call, id=key)
        if order is None:
            return refused("Order Not Exist.")
        await self.orders.delete(call, id=key)
        return ok("Success", order_id)

    @endpoint("GET", "/orderOther")
    async def find_all_order(self, call: Call) -> Envelope:
        """Every order."""
        return ok("Success", await self.orders.find(call))


SERVICE = OrderOtherService
