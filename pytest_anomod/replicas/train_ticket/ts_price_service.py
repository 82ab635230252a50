"""ts-price-service: price rates by route and train type."""

from typing import Any
from uuid import uuid4

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import TEXT, list_of
from .calls import Call
from .entities import PRICE, PRICES
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]

ID_LENGTH = 10  # what is shorter is no id


class PriceService(Backend):
    """One rate a route and train type."""

    base = "/api/v1/priceservice"
    rules = OPEN
    welcome = welcome("/prices/welcome", "Welcome to [ Price Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.prices = self.repository(PRICES)
        await super().start()

    @endpoint("GET", "/prices/{route_id}/{train_type}")
    async def query(self, call: Call, route_id: str, train_type: str) -> Envelope:
        """The rate of a train type on a route."""
        price = await self.prices.one(call, routeId=route_id, trainType=train_type)
        return found(price, "Success", "No that config")

    @endpoint("POST", "/prices/byRouteIdsAndTrainTypes", body=list_of(TEXT))
    async def query_by_route_ids_and_train_types(self, call: Call, keys: list[str]) -> Envelope:
        """Rates by "routeId:trainType"; everything that matches any of the routes and any of the types."""
        if not keys:
            return ok("Success", {})
        pairs = [key.split(":") for key in keys]
        routes, types = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        prices = await self.prices.select(call, "route_id = ANY($1) AND train_type = ANY($2)", routes, types)
        return ok("Success", {f"{price['routeId']}:{price['trainType']}": price for price in prices})

    @endpoint("GET", "/prices")
    async def query_all(self, call: Call) -> Envelope:
        """Every rate."""
        return found(await self.prices.find(call), "Success", "No price config")

    @endpoint("POST", "/prices", body=PRICE, status=201)
    async def create(self, call: Call, price: Row) -> Envelope:
        """A rate under its id, or under a new one when it has none of 10 characters."""
        if price["id"] is None or len(price["id"]) < ID_LENGTH:
            price["id"] = str(uuid4())
        return ok("Create success", await self.prices.save(call, price))

    @endpoint("PUT", "/prices", body=PRICE)
    async def update(self, call: Call, price: Row) -> Envelope:
        """Other figures for a known id."""
        if await self.prices.get(call, price["id"]) is None:
            return refused("No that config")
        await self.prices.update(call, price)
        return ok("Update success", price)

    @endpoint("DELETE", "/prices/{price_id}")
    async def delete(self, call: Call, price_id: str) -> Envelope:
        """Delete one and return what it was."""
        price = await self.prices.one(call, id=price_id)
        if price is None:
            return refused("No that config")
        await self.prices.delete(call, id=price_id)
        return ok("Delete success", price)


SERVICE = PriceService
