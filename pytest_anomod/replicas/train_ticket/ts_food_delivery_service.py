"""ts-food-delivery-service: food orders delivered to a seat."""

from typing import Any

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import DELIVERY_INFO, FOOD_DELIVERY_ORDER, FOOD_DELIVERY_ORDERS, SEAT_INFO, TRIP_ORDER_INFO
from .envelope import Envelope, found, ok, refused
from .rail import Row


class FoodDeliveryService(Backend):
    """A table of orders; what the food costs is asked of the shop."""

    base = "/api/v1/fooddeliveryservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ food delivery service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.orders = self.repository(FOOD_DELIVERY_ORDERS)
        await super().start()

    @endpoint("POST", "/orders", body=FOOD_DELIVERY_ORDER)
    async def create_food_delivery_order(self, call: Call, order: Row) -> Envelope:
        """Order food of one shop; the fee is that of the shop and the price of the food."""
        path = "/api/v1/stationfoodservice/stationfoodstores/bystoreid/{stationFoodStoreId}"
        shop = (await call.get("ts-station-food-service", path, order["stationFoodStoreId"]))["data"]
        prices = {food["foodName"]: food["price"] for food in shop["foodList"]}
        names = [food["foodName"] for food in order["foodList"]]
        if any(name not in prices for name in names):
            return refused("Food not in store")
        order["deliveryFee"] = sum(prices[name] for name in names) + shop["deliveryFee"]
        return ok("Save success", await self.orders.save(call, order))

    @endpoint("DELETE", "/orders/d/{orderId}")
    async def delete_food_delivery_order(self, call: Call, order_id: str) -> Envelope:
        """Delete an order."""
        if await self.orders.delete(call, id=order_id) == 0:
            return refused("No such food delivery order id", order_id)
        return ok("Delete success")

    @endpoint("GET", "/orders/all")
    async def get_all_food_delivery_orders(self, call: Call) -> Envelope:
        """Every order."""
        return found(await self.orders.find(call), "Get success", "food delivery orders query error")

    @endpoint("GET", "/orders/{orderId}")
    async def get_food_delivery_order_by_id(self, call: Call, order_id: str) -> Envelope:
        """One order."""
        order = await self.orders.one(call, id=order_id)
        return found(order, "Get success", "No such food delivery order id", order_id)

    @endpoint("GET", "/orders/store/{storeId}")
    async def get_food_delivery_order_by_store_id(self, call: Call, store_id: str) -> Envelope:
        """The orders of a shop."""
        rows = await self.orders.find(call, stationFoodStoreId=store_id)
        return found(rows, "Get success", "food delivery orders query error", store_id)

    @endpoint("PUT", "/orders/tripid", body=TRIP_ORDER_INFO)
    async def update_trip_id(self, call: Call, info: Row) -> Envelope:
        """Deliver to another train."""
        return await self.change(call, info["orderId"], "tripId", info["tripId"])

    @endpoint("PUT", "/orders/seatno", body=SEAT_INFO)
    async def update_seat_no(self, call: Call, info: Row) -> Envelope:
        """Deliver to another seat."""
        return await self.change(call, info["orderId"], "seatNo", info["seatNo"])

    @endpoint("PUT", "/orders/dtime", body=DELIVERY_INFO)
    async def update_delivery_time(self, call: Call, info: Row) -> Envelope:
        """Deliver at another time."""
        return await self.change(call, info["orderId"], "deliveryTime", info["deliveryTime"])

    async def change(self, call: Call, order_id: str | None, name: str, value: Any) -> Envelope:
        """Change one field of an order."""
        if order_id is None:
            raise ValueError("The given id must not be null!")
        order = await self.orders.one(call, id=order_id)
        if order is None:
            return refused("No such delivery order id", order_id)
        order[name] = value
        await self.orders.update(call, order)
        return ok(f"update {name} success", order)


SERVICE = FoodDeliveryService
