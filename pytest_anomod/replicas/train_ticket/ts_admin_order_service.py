"""ts-admin-order-service: the orders of both order services, for administrators."""

from typing import Any

from .access import ADMINS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import COMMON_ORDER
from .envelope import Envelope, ok

Row = dict[str, Any]

ORDERS, ORDERS_OTHER = "ts-order-service", "ts-order-other-service"
ORDERS_PATH, ORDERS_OTHER_PATH = "/api/v1/orderservice/order", "/api/v1/orderOtherService/orderOther"


class AdminOrderService(Backend):
    """Passes on to the service of the train's letter."""

    base = "/api/v1/adminorderservice"
    rules = ADMINS
    welcome = welcome("/welcome", "Welcome to [Admin Order Service] !")

    @endpoint("GET", "/adminorder")
    async def get_all_orders(self, call: Call) -> Envelope:
        """The orders of both, in the form other services know them."""
        orders = []
        for peer, path in ((ORDERS, ORDERS_PATH), (ORDERS_OTHER, ORDERS_OTHER_PATH)):
            answer = await call.get(peer, path)
            if answer["status"] == 1:
                orders += [COMMON_ORDER.read(order) for order in answer["data"]]
        return ok("Get the orders successfully!", orders)

    @endpoint("POST", "/adminorder", body=COMMON_ORDER)
    async def add_order(self, call: Call, order: Row) -> Envelope:
        """A new order."""
        peer, path = _of(order["trainNumber"])
        return await call.post(peer, f"{path}/admin", body=order)

    @endpoint("PUT", "/adminorder", body=COMMON_ORDER)
    async def update_order(self, call: Call, order: Row) -> Envelope:
        """Write over an order."""
        peer, path = _of(order["trainNumber"])
        return await call.put(peer, f"{path}/admin", body=order)

    @endpoint("DELETE", "/adminorder/{order_id}/{train_number}")
    async def delete_order(self, call: Call, order_id: str, train_number: str) -> Envelope:
        """Delete an order; the call goes out without the token, as the order services leave this open."""
        peer, path = _of(train_number)
        return await call.delete(peer, f"{path}/{{orderId}}", order_id, headers=())


def _of(train_number: str) -> tuple[str, str]:
    return (ORDERS, ORDERS_PATH) if train_number.startswith(("G", "D")) else (ORDERS_OTHER, ORDERS_OTHER_PATH)


SERVICE = AdminOrderService
