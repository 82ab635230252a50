"""ts-station-food-service: food shops at stations."""

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import TEXT, list_of
from .calls import Call
from .entities import STATION_FOOD_STORES
from .envelope import Envelope, found, ok


class StationFoodService(Backend):
    """Shops by station and by their own id."""

    base = "/api/v1/stationfoodservice"
    rules = OPEN
    welcome = welcome("/stationfoodstores/welcome", "Welcome to [ Food store Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.stores = self.repository(STATION_FOOD_STORES)
        await super().start()

    @endpoint("GET", "/stationfoodstores")
    async def get_all_food_stores(self, call: Call) -> Envelope:
        """Every shop."""
        return found(await self.stores.find(call), "Success", "Food store is empty")

    @endpoint("GET", "/stationfoodstores/{station_id}")
    async def get_food_stores_of_station(self, call: Call, station_id: str) -> Envelope:
        """Never answered: in the original the path's variable has another name than the argument it is meant for."""
        raise LookupError("Missing URI template variable 'stationName' for method parameter of type String")

    @endpoint("POST", "/stationfoodstores", body=list_of(TEXT))
    async def get_food_stores_by_station_names(self, call: Call, names: list[str]) -> Envelope:
        """The shops of stations; unknown names have none."""
        return ok("Success", await self.stores.select(call, "station_name = ANY($1)", names))

    @endpoint("GET", "/stationfoodstores/bystoreid/{store_id}")
    async def get_food_store_by_id(self, call: Call, store_id: str) -> Envelope:
        """One shop."""
        return found(await self.stores.one(call, id=store_id), "Success", "No content")


SERVICE = StationFoodService
