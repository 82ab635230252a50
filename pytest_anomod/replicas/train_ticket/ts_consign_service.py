"""ts-consign-service: luggage."""

from uuid import uuid4

from .access import MEMBERS
from .backend import Backend, endpoint, welcome
from .binding import parse_uuid
from .calls import Call
from .dates import java_double
from .entities import CONSIGN, CONSIGN_RECORD, CONSIGN_RECORDS
from .envelope import Envelope, found, ok
from .rail import Row


class ConsignService(Backend):
    """A table of luggage; the price comes from ts-consign-price-service."""

    base = "/api/v1/consignservice"
    rules = MEMBERS
    welcome = welcome("/welcome", "Welcome to [ Consign Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.records = self.repository(CONSIGN_RECORDS)
        await super().start()

    @endpoint("POST", "/consigns", body=CONSIGN)
    async def insert_consign(self, call: Call, consign: Row) -> Envelope:
        """New luggage, whatever its id."""
        return await self.insert(call, consign)

    @endpoint("PUT", "/consigns", body=CONSIGN)
    async def update_consign(self, call: Call, consign: Row) -> Envelope:
        """Change luggage, or add it when the id is unknown; another weight has another price."""
        if consign["id"] is None:
            raise ValueError("The given id must not be null!")
        known = await self.records.one(call, id=consign["id"])
        if known is None:
            return await self.insert(call, consign)
        record = _record(consign, known["id"])
        changed = known["weight"] != consign["weight"]
        record["price"] = await self.price(call, consign) if changed else known["price"]
        await self.records.update(call, record)
        return ok("Update consign success", record)

    @endpoint("GET", "/consigns/account/{id}")
    async def find_by_account_id(self, call: Call, account_id: str) -> Envelope:
        """The luggage of an account."""
        rows = await self.records.find(call, accountId=parse_uuid(account_id))
        return found(rows, "Find consign by account id success", "No Content according to accountId")

    @endpoint("GET", "/consigns/order/{id}")
    async def find_by_order_id(self, call: Call, order_id: str) -> Envelope:
        """The luggage of an order, of which there is one."""
        rows = await self.records.find(call, orderId=parse_uuid(order_id))
        if len(rows) > 1:
            raise ValueError(f"query did not return a unique result: {len(rows)}")
        return found(rows[0] if rows else None, "Find consign by order id success", "No Content according to order id")

    @endpoint("GET", "/consigns/{consignee}")
    async def find_by_consignee(self, call: Call, consignee: str) -> Envelope:
        """The luggage for a person."""
        rows = await self.records.find(call, consignee=consignee)
        return found(rows, "Find consign by consignee success", "No Content according to consignee")

    async def insert(self, call: Call, consign: Row) -> Envelope:
        """Store luggage under a new id."""
        record = _record(consign, str(uuid4()))
        record["price"] = await self.price(call, consign)
        await self.records.insert(call, record)
        return ok(f"You have consigned successfully! The price is {java_double(record['price'])}", record)

    async def price(self, call: Call, consign: Row) -> float:
        """What luggage costs."""
        path = "/api/v1/consignpriceservice/consignprice/{weight}/{isWithinRegion}"
        answer = await call.get("ts-consign-price-service", path, java_double(consign["weight"]), consign["within"])
        return answer["data"]


def _record(consign: Row, key: str) -> Row:
    """What is stored of a request; an order and an account must be named."""
    if consign["orderId"] is None or consign["accountId"] is None:
        raise ValueError("a consignment without order or account")
    return CONSIGN_RECORD.new(**{name: value for name, value in consign.items() if name != "within"} | {"id": key})


SERVICE = ConsignService
