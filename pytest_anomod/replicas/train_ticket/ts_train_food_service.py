"""ts-train-food-service: what there is to eat on trains."""

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import TRAIN_FOODS
from .envelope import Envelope, found, ok, refused


class TrainFoodService(Backend):
    """Food by trip."""

    base = "/api/v1/trainfoodservice"
    rules = OPEN
    welcome = welcome("/trainfoods/welcome", "Welcome to [ Train Food Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.foods = self.repository(TRAIN_FOODS)
        await super().start()

    @endpoint("GET", "/trainfoods")
    async def get_all_train_food(self, call: Call) -> Envelope:
        """The food of every trip."""
        return found(await self.foods.find(call), "Success", "No content")

    @endpoint("GET", "/trainfoods/{trip_id}")
    async def get_train_food_of_trip(self, call: Call, trip_id: str) -> Envelope:
        """The food of one trip."""
        food = await self.foods.one(call, tripId=trip_id)
        return ok("Success", food["foodList"]) if food else refused("No content")


SERVICE = TrainFoodService
