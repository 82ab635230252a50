"""ts-wait-order-service: a waiting list."""

import asyncio
from datetime import timedelta

from pytest_anomod.replicas.kit.errors import TransportError

from .access import ANY_TOKEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .dates import now, now_text, parse, text_of
from .entities import WAIT_ORDER, WAIT_ORDER_VO, WAIT_ORDERS
from .envelope import Envelope, found, ok, refused
from .failures import PeerFailure
from .rail import Row

NOT_PAID, PAID, COLLECTED, CANCELLED, REFUNDED, EXPIRED = range(6)
PERIOD_S = 300.0
WAITS_AT_MOST = timedelta(days=1)
WORKERS = 64
SAME = ("accountId", "contactsId", "trainNumber", "travelTime", "from", "to")


class WaitOrderService(Backend):
    """A table of what could not be booked, and for each a worker that tries again."""

    base = "/api/v1/waitorderservice"
    rules = ANY_TOKEN
    welcome = welcome("/welcome", "Welcome to [ Wait Order Service ] !")

    async def start(self) -> None:
        """Name the table; nobody waits yet."""
        self.orders = self.repository(WAIT_ORDERS)
        self.workers = 0
        await super().start()

    @endpoint("POST", "/order", body=WAIT_ORDER_VO)
    async def create_new_order(self, call: Call, wanted: Row) -> Envelope:
        """Wait for a ticket; the same one once only, whatever became of it."""
        order = _order(wanted)
        if await self.orders.find(call, **{name: order[name] for name in SAME}):
            return refused("Order already exist")
        stored = await self.orders.insert(call, order)
        if self.workers >= WORKERS:
            return refused("Fail To Run A New Thread")
        self.spawn(self.work(call, stored))
        return ok("Thread Start Success")

    @endpoint("GET", "/orders")
    async def get_all_orders(self, call: Call) -> Envelope:
        """Every order."""
        return found(await self.orders.find(call), "Success.", "No Content.")

    @endpoint("GET", "/waitlistorders")
    async def get_wait_list_orders(self, call: Call) -> Envelope:
        """The orders that are not over; only an empty table is refused."""
        rows = await self.orders.find(call)
        if not rows:
            return refused("No Content.")
        return ok("Success.", [row for row in rows if row["status"] in (NOT_PAID, PAID)])

    async def work(self, call: Call, order: Row) -> None:
        """Try to book until that works or the time is up."""
        self.workers += 1
        try:
            while not await self.book(call, order) and not await self.expire(call, order):
                await asyncio.sleep(PERIOD_S)
        finally:
            self.workers -= 1

    async def book(self, call: Call, order: Row) -> bool:
        """Try to book; it never works, because the original asks the booking service on a path of the contacts'."""
        try:
            answer = await call.post("ts-preserve-service", "/api/v1/contactservice/preserve", body=_ticket(order))
        except (PeerFailure, TransportError) as error:
            call.log.warning(f"[preserve][{order['id']}][{error}]")
            return False
        if answer is None or answer["status"] != 1:
            return False
        await self.set_status(call, order, PAID)
        return True

    async def expire(self, call: Call, order: Row) -> bool:
        """Give up when the time is up; the original compares the wrong way round, so that is at once."""
        if now() >= parse(order["waitUtilTime"]):
            return False
        await self.set_status(call, order, EXPIRED)
        return True

    async def set_status(self, call: Call, order: Row, status: int) -> None:
        """Give an order another state; the original takes the account for the order's id, so it finds none."""
        known = await self.orders.one(call, id=order["accountId"])
        if known is None:
            call.log.error(f"[modifyWaitListOrderStatus][Order not found][OrderId: {order['accountId']}]")
            return
        await self.orders.update(call, known | {"status": status})


def _order(wanted: Row) -> Row:
    """What is stored of a wish."""
    return WAIT_ORDER.new(
        travelTime=wanted["date"],
        accountId=wanted["accountId"],
        contactsId=wanted["contactsId"],
        trainNumber=wanted["tripId"],
        seatType=wanted["seatType"],
        price=wanted["price"],
        createdTime=now_text(),
        waitUtilTime=text_of(now() + WAITS_AT_MOST),
        status=NOT_PAID,
        **{"from": wanted["from"], "to": wanted["to"]},
    )


def _ticket(order: Row) -> Row:
    """What is asked of the booking service."""
    return {
        "accountId": order["accountId"],
        "contactsId": order["contactsId"],
        "tripId": order["trainNumber"],
        "seatType": order["seatType"],
        "date": order["travelTime"],
        "from": order["from"],
        "to": order["to"],
    }


SERVICE = WaitOrderService
