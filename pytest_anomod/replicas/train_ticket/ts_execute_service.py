"""ts-execute-service: collect a ticket, enter the station."""

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .envelope import Envelope, ok, refused
from .rail import CHANGED, COLLECTED, FAST, OTHER, PAID, USED, Line


class ExecuteService(Backend):
    """Has no table of its own; an order is looked for on the fast line, then on the other.

    The calls go out without the client's token: those operations of the order services are open.
    """

    base = "/api/v1/executeservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Execute Service ] !")

    @endpoint("GET", "/execute/execute/{orderId}")
    async def execute_ticket(self, call: Call, order_id: str) -> Envelope:
        """Enter the station with a collected ticket."""
        answer = await self.order(call, FAST, order_id)
        if answer["status"] == 1:
            if answer["data"]["status"] != COLLECTED:
                return refused("Order Status Wrong")
            changed = await self.set_status(call, FAST, order_id, USED)
            return ok("Success.") if changed["status"] == 1 else refused(changed["msg"])
        answer = await self.order(call, OTHER, order_id)
        if answer["status"] == 1:
            if answer["data"]["status"] != COLLECTED:
                return refused("Order Status Wrong")
            changed = await self.set_status(call, OTHER, order_id, USED)
            return ok("Success") if changed["status"] == 1 else refused(changed["msg"])
        return refused("Order Not Found")

    @endpoint("GET", "/execute/collected/{orderId}")
    async def collect_ticket(self, call: Call, order_id: str) -> Envelope:
        """Collect a ticket that is paid for or was changed."""
        answer = await self.order(call, FAST, order_id)
        if answer["status"] == 1:
            if answer["data"]["status"] not in (PAID, CHANGED):
                return refused("Order Status Wrong")
            changed = await self.set_status(call, FAST, order_id, COLLECTED)
            return ok("Success") if changed["status"] == 1 else refused(changed["msg"])
        answer = await self.order(call, OTHER, order_id)
        if answer["status"] == 1:
            if answer["data"]["status"] not in (PAID, CHANGED):
                return refused("Order Status Wrong")
            changed = await self.set_status(call, OTHER, order_id, COLLECTED)
            return ok("Success.") if changed["status"] == 1 else refused(changed["msg"])
        return refused("Order Not Found")

    async def order(self, call: Call, line: Line, order_id: str) -> Envelope:
        """An order of a line."""
        return await call.get(line.orders, f"{line.order}/{{orderId}}", order_id, headers=())

    async def set_status(self, call: Call, line: Line, order_id: str, status: int) -> Envelope:
        """Give an order another state."""
        path = f"{line.order}/status/{{orderId}}/{{status}}"
        return await call.get(line.orders, path, order_id, status, headers=())


SERVICE = ExecuteService
