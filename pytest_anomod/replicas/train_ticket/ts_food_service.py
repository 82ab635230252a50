"""ts-food-service: food orders and what food there is on a trip."""

from uuid import uuid4

import orjson

from pytest_anomod.replicas.kit.errors import StoreError

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import list_of, parse_uuid
from .calls import Call
from .entities import FOOD_ORDER, FOOD_ORDERS
from .envelope import Envelope, found, ok, refused
from .messaging import FOOD_DELIVERY, publish
from .rail import Row

TRAIN_FOOD, STATION_FOOD = 1, 2


class FoodService(Backend):
    """A table of food orders; what is ordered goes to the queue of deliveries."""

    base = "/api/v1/foodservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Food Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.orders = self.repository(FOOD_ORDERS)
        await super().start()

    @endpoint("GET", "/test_send_delivery")
    async def test_send_delivery(self, call: Call) -> bool:
        """Send one delivery that nobody ordered."""
        food = {
            "foodName": "HotPot",
            "storeName": "MiaoTing Instant-Boiled Mutton",
            "stationName": "Shang Hai",
        }
        await publish(call, FOOD_DELIVERY, _delivery(str(uuid4()), food))
        return True

    @endpoint("GET", "/orders")
    async def find_all_food_order(self, call: Call) -> Envelope:
        """Every food order."""
        return found(await self.orders.find(call), "Success.", "No Content")

    @endpoint("POST", "/orders", body=FOOD_ORDER)
    async def create_food_order(self, call: Call, wanted: Row) -> Envelope:
        """Order food once for an order. The row stays even when the order's id is no UUID, which is a 500."""
        if await self.orders.one(call, orderId=wanted["orderId"]) is not None:
            return refused("Order Id Has Existed.")
        order = await self.store(call, wanted)
        await self.deliver(call, [_delivery(parse_uuid(wanted["orderId"]), wanted)])
        return ok("Success.", order)

    @endpoint("POST", "/createOrderBatch", body=list_of(FOOD_ORDER))
    async def create_food_batches(self, call: Call, orders: list[Row]) -> Envelope:
        """Order food for many orders; one that has some already refuses them all."""
        for wanted in orders:
            if await self.orders.one(call, orderId=wanted["orderId"]) is not None:
                return refused(f"Order Id {wanted['orderId']}Existed")
        deliveries = []
        for wanted in orders:
            await self.store(call, wanted)
            deliveries.append(_delivery(parse_uuid(wanted["orderId"]), wanted))
        await self.deliver(call, deliveries)
        return ok("Success.")

    @endpoint("PUT", "/orders", body=FOOD_ORDER)
    async def update_food_order(self, call: Call, wanted: Row) -> Envelope:
        """Change a food order by its own id; the shop only changes for food of a train."""
        if wanted["id"] is None:
            raise ValueError("The given id must not be null!")
        order = await self.orders.one(call, id=wanted["id"])
        if order is None:
            return refused("Order Id Is Non-Existent.")
        order |= {name: wanted[name] for name in ("foodType", "foodName", "price")}
        if wanted["foodType"] == TRAIN_FOOD:
            order |= {name: wanted[name] for name in ("stationName", "storeName")}
        await self.orders.update(call, order)
        return ok("Success", order)

    @endpoint("DELETE", "/orders/{orderId}")
    async def delete_food_order(self, call: Call, order_id: str) -> Envelope:
        """Delete the food of an order."""
        if await self.orders.delete(call, orderId=parse_uuid(order_id)) == 0:
            return refused("Order Id Is Non-Existent.")
        return ok("Success.")

    @endpoint("GET", "/orders/{orderId}")
    async def find_food_order_by_order_id(self, call: Call, order_id: str) -> Envelope:
        """The food of an order."""
        order = await self.orders.one(call, orderId=parse_uuid(order_id))
        return found(order, "Success.", "Order Id Is Non-Existent.")

    @endpoint("GET", "/foods/{date}/{startStation}/{endStation}/{tripId}")
    async def get_all_food(self, call: Call, date: str, start: str, end: str, trip_id: str) -> Envelope:
        """The food on a train, and the shops at the stations it passes between two places."""
        if len(trip_id) <= 2:
            return refused("Trip id is not suitable")
        on_train = await call.get("ts-train-food-service", "/api/v1/trainfoodservice/trainfoods/{tripId}", trip_id)
        if on_train["status"] != 1:
            return refused("Get the Get Food Request Failed!")
        shops = await self.shops(call, trip_id, start, end)
        if shops is None:
            return refused("Get All Food Failed", {"trainFoodList": None, "foodStoreListMap": None})
        return ok("Get All Food Success", {"trainFoodList": on_train["data"], "foodStoreListMap": shops})

    async def shops(self, call: Call, trip_id: str, start: str, end: str) -> dict[str, list[Row]] | None:
        """The shops at each station on the way, None when there is no route or no shop at all."""
        route = await call.get("ts-travel-service", "/api/v1/travelservice/routes/{tripId}", trip_id)
        if route["status"] != 1:
            return None
        stations = trimmed(route["data"]["stations"], start, end)
        path = "/api/v1/stationfoodservice/stationfoodstores"
        shops = (await call.post("ts-station-food-service", path, body=stations))["data"]
        if not shops:
            return None
        return {name: [shop for shop in shops if shop["stationName"] == name] for name in stations}

    async def store(self, call: Call, wanted: Row) -> Row:
        """Store a new food order, with a shop only for food of a station; its id is not the one that is stored."""
        order = FOOD_ORDER.new(**wanted) | {"id": str(uuid4())}
        if wanted["foodType"] != STATION_FOOD:
            order |= {"stationName": None, "storeName": None}
        await self.orders.insert(call, order)
        return order

    async def deliver(self, call: Call, deliveries: list[str]) -> None:
        """Send deliveries to the queue; an order is not lost when the broker is."""
        for delivery in deliveries:
            try:
                await publish(call, FOOD_DELIVERY, delivery)
            except StoreError as error:
                call.log.error(f"[addFoodOrder][send delivery info to mq error][{error}]")


def trimmed(stations: list[str], start: str, end: str) -> list[str]:
    """The stations between two; while it looks for the start the original takes out every second one only."""
    left = list(stations)
    index = 0
    while index < len(left) and left[index] != start:
        del left[index]
        index += 1
    while left and left[-1] != end:
        del left[-1]
    return left


def _delivery(order_id: str, food: Row) -> str:
    """The message for a delivery."""
    names = ("foodName", "storeName", "stationName")
    return orjson.dumps({"orderId": order_id, **{name: food[name] for name in names}}).decode()


SERVICE = FoodService
