"""ts-assurance-service: insurance of orders, of one type. For the role of users only: administrators are refused."""

from typing import Any
from uuid import uuid4

from .access import USER, only
from .backend import Backend, endpoint, welcome
from .binding import parse_uuid
from .calls import Call
from .entities import ASSURANCES
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]

TYPES = {1: ("TRAFFIC_ACCIDENT", "Traffic Accident Assurance", 3.0)}
BY_NAME = {name: (index, text, price) for index, (name, text, price) in TYPES.items()}


class AssuranceService(Backend):
    """An order is insured once."""

    base = "/api/v1/assuranceservice"
    rules = (only(USER, "/**"),)
    welcome = welcome("/welcome", "Welcome to [ Assurance Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.assurances = self.repository(ASSURANCES)
        await super().start()

    @endpoint("GET", "/assurances")
    async def get_all_assurances(self, call: Call) -> Envelope:
        """Every insurance with its type in words."""
        plain = [_plain(row) for row in await self.assurances.find(call)]
        return found(plain, "Success", "No Content, Assurance is empty")

    @endpoint("GET", "/assurances/types")
    async def get_all_assurance_type(self, call: Call) -> Envelope:
        """The types there are."""
        types = [{"index": index, "name": text, "price": price} for index, (_, text, price) in TYPES.items()]
        return found(types, "Find All Assurance", "Assurance is Empty")

    @endpoint("DELETE", "/assurances/assuranceid/{assurance_id}")
    async def delete_assurance(self, call: Call, assurance_id: str) -> Envelope:
        """Delete one. The check for what is left never finds nothing, so that success is told as a refusal."""
        key = parse_uuid(assurance_id)
        if not await self.assurances.delete(call, id=key):
            raise LookupError(f"No class assurance.entity.Assurance entity with id {key} exists!")
        return refused("Fail.Assurance not clear", key)

    @endpoint("DELETE", "/assurances/orderid/{order_id}")
    async def delete_assurance_by_order_id(self, call: Call, order_id: str) -> Envelope:
        """Delete that of an order, if there is one."""
        await self.assurances.delete(call, orderId=parse_uuid(order_id))
        return ok("Delete Success with Order Id")

    @endpoint("PATCH", "/assurances/{assurance_id}/{order_id}/{type_index:int}")
    async def modify_assurance(self, call: Call, assurance_id: str, order_id: str, type_index: int) -> Envelope:
        """Give one another type; an unknown id is an exception."""
        assurance = await self.assurances.one(call, id=parse_uuid(assurance_id))
        if assurance is None:
            raise LookupError("No value present")
        if type_index not in TYPES:
            return refused("Assurance Type not exist")
        assurance["type"] = TYPES[type_index][0]
        await self.assurances.update(call, assurance)
        return ok("Modify Success", assurance)

    @endpoint("GET", "/assurances/{type_index:int}/{order_id}")
    async def create_new_assurance(self, call: Call, type_index: int, order_id: str) -> Envelope:
        """Insure an order."""
        if type_index not in TYPES:
            return refused("Fail.Assurance type doesn't exist")
        order = parse_uuid(order_id)
        if await self.assurances.one(call, orderId=order) is not None:
            return refused("Fail.Assurance already exists")
        assurance = {"id": str(uuid4()), "orderId": order, "type": TYPES[type_index][0]}
        return ok("Success", await self.assurances.insert(call, assurance))

    @endpoint("GET", "/assurances/assuranceid/{assurance_id}")
    async def get_assurance_by_id(self, call: Call, assurance_id: str) -> Envelope:
        """One by id, null for an unknown one."""
        return ok("Find Assurance Success", await self.assurances.one(call, id=parse_uuid(assurance_id)))

    @endpoint("GET", "/assurance/orderid/{order_id}")
    async def find_assurance_by_order_id(self, call: Call, order_id: str) -> Envelope:
        """That of an order."""
        assurance = await self.assurances.one(call, orderId=parse_uuid(order_id))
        return found(assurance, "Find Assurance Success", "No Content by this orderId")


def _plain(row: Row) -> Row:
    index, text, price = BY_NAME[row["type"]]
    return {"id": row["id"], "orderId": row["orderId"], "typeIndex": index, "typeName": text, "typePrice": price}


SERVICE = AssuranceService
