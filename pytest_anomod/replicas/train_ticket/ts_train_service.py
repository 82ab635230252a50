"""ts-train-service: types of train with their seats and speed."""

from typing import Any

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import TEXT, list_of
from .calls import Call
from .dates import java_list
from .entities import TRAIN_TYPE, TRAIN_TYPES
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]


class TrainService(Backend):
    """Types by id and by their unique name."""

    base = "/api/v1/trainservice"
    rules = OPEN
    welcome = welcome("/trains/welcome", "Welcome to [ Train Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.trains = self.repository(TRAIN_TYPES)
        await super().start()

    @endpoint("GET", "/trains")
    async def query(self, call: Call) -> Envelope:
        """Every type."""
        return found(await self.trains.find(call), "success", "no content", [])

    @endpoint("POST", "/trains", body=TRAIN_TYPE)
    async def create(self, call: Call, train: Row) -> Envelope:
        """A new type; a known name is refused, and so is an empty one."""
        if len(train["name"]) == 0 or await self.trains.one(call, name=train["name"]) is not None:
            return refused("train type already exist", train)
        await self.trains.save(call, train)
        return ok("create success")

    @endpoint("PUT", "/trains", body=TRAIN_TYPE)
    async def update(self, call: Call, train: Row) -> Envelope:
        """Other figures for a known id."""
        if await self.trains.get(call, train["id"]) is None:
            return refused("there is no trainType with the trainType id", False)
        await self.trains.update(call, train)
        return ok("update success", True)

    @endpoint("DELETE", "/trains/{train_id}")
    async def delete(self, call: Call, train_id: str) -> Envelope:
        """Delete one."""
        if not await self.trains.delete(call, id=train_id):
            return refused("there is no train according to id")
        return ok("delete success", True)

    @endpoint("GET", "/trains/{train_id}")
    async def retrieve(self, call: Call, train_id: str) -> Envelope:
        """One by id."""
        none = f"here is no TrainType with the trainType id: {train_id}"
        return found(await self.trains.one(call, id=train_id), "success", none)

    @endpoint("GET", "/trains/byName/{name}")
    async def retrieve_by_name(self, call: Call, name: str) -> Envelope:
        """One by name."""
        none = f"here is no TrainType with the trainType name: {name}"
        return found(await self.trains.one(call, name=name), "success", none)

    @endpoint("POST", "/trains/byNames", body=list_of(TEXT))
    async def retrieve_by_names(self, call: Call, names: list[str | None]) -> Envelope:
        """Those with these names."""
        none = f"here is no TrainTypes with the trainType names: {java_list(names)}"
        return found(await self.trains.select(call, "name = ANY($1)", names), "success", none)


SERVICE = TrainService
