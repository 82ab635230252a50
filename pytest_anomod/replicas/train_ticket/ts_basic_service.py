"""ts-basic-service: joins station, train, route and price of one or many trips."""

from typing import Any

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import list_of
from .calls import Call
from .dates import java_double
from .entities import TRAVEL
from .envelope import Envelope, ok, refused
from .rail import Row, index_of, number_of

NO_PRICE = {"economyClass": "95.0", "confortClass": "120.0"}
NO_PRICE_ROW = {"basicPriceRate": 0.75, "firstClassPriceRate": 1.0}


class BasicService(Backend):
    """Has no table of its own; asks the services that have one."""

    base = "/api/v1/basicservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Basic Service ] !")

    @endpoint("GET", "/basic/{stationName}")
    async def query_for_station_id(self, call: Call, name: str) -> Envelope:
        """The id of a station."""
        answer = await self._station_id(call, name)
        return ok("Success", answer["data"]) if answer["status"] == 1 else refused("Not exists")

    @endpoint("POST", "/basic/travel", body=TRAVEL)
    async def query_for_travel(self, call: Call, info: Row) -> Envelope:
        """Train type, route and prices of a trip between two places.

        An unknown place does not end the work: the refusal is overtaken by one of those that follow.
        """
        start, end, trip = info["startPlace"], info["endPlace"], info["trip"]
        known = await self._check_stations(call, start, end)
        train_type = await self._train_type(call, trip["trainTypeName"])
        if train_type is None:
            return refused("Train type doesn't exist")
        route = await self._route(call, trip["routeId"])
        if route is None:
            return refused("Route doesn't exist")
        if not _goes(route, start, end):
            return refused("Station not correct in Route")
        price = await self._price(call, trip["routeId"], train_type["name"])
        prices = NO_PRICE if price is None else _prices(route, start, end, price)
        result = _result(known, train_type, route, prices)
        return ok("Success", result) if known else refused("Start place or end place not exist!", result)

    @endpoint("POST", "/basic/travels", body=list_of(TRAVEL))
    async def query_for_travels(self, call: Call, infos: list[Row]) -> Envelope:
        """The same for many trips in four calls, by number of train; trips that do not fit are left out."""
        infos = list({number_of(info["trip"]): info for info in infos}.values())
        stations = await self._station_ids(call, infos)
        if stations is None:
            return refused("all stations don't exist")
        infos = [info for info in infos if stations.get(info["startPlace"]) and stations.get(info["endPlace"])]
        if not infos:
            return refused("no travel info available")
        types = await self._train_types(call, infos)
        if types is None:
            return refused("all train_type don't exist")
        infos = [info for info in infos if info["trip"]["trainTypeName"] in types]
        if not infos:
            return refused("no travel info available")
        routes = await self._routes(call, infos)
        if routes is None:
            return refused("all routes don't exist")
        infos = [info for info in infos if _on_route(info, routes)]
        if not infos:
            return refused("no travel info available")
        prices = await self._all_prices(call, infos)
        return ok("Success", {number_of(info["trip"]): _joined(info, types, routes, prices) for info in infos})

    async def _check_stations(self, call: Call, start: str, end: str) -> bool:
        known = [(await self._station_id(call, name))["status"] == 1 for name in (start, end)]
        if not all(known):
            call.log.warning(f"[queryForTravel][Start place or end place not exist][{start} to {end}]")
        return all(known)

    async def _station_id(self, call: Call, name: str) -> Row:
        return await call.get("ts-station-service", "/api/v1/stationservice/stations/id/{name}", name)

    async def _train_type(self, call: Call, name: str) -> Row | None:
        answer = await call.get("ts-train-service", "/api/v1/trainservice/trains/byName/{name}", name)
        return answer["data"] if answer["status"] == 1 else None

    async def _route(self, call: Call, route_id: str) -> Row | None:
        answer = await call.get("ts-route-service", "/api/v1/routeservice/routes/{routeId}", route_id)
        return answer["data"] if answer["status"] == 1 else None

    async def _price(self, call: Call, route_id: str, train_type: str) -> Row | None:
        path = "/api/v1/priceservice/prices/{routeId}/{trainType}"
        return (await call.get("ts-price-service", path, route_id, train_type))["data"]

    async def _station_ids(self, call: Call, infos: list[Row]) -> dict[str, str | None] | None:
        names = _distinct(place for info in infos for place in (info["startPlace"], info["endPlace"]))
        answer = await call.post("ts-station-service", "/api/v1/stationservice/stations/idlist", body=names)
        return answer["data"] if answer["status"] == 1 else None

    async def _train_types(self, call: Call, infos: list[Row]) -> dict[str, Row] | None:
        names = _distinct(info["trip"]["trainTypeName"] for info in infos)
        answer = await call.post("ts-train-service", "/api/v1/trainservice/trains/byNames", body=names)
        return {each["name"]: each for each in answer["data"]} if answer["status"] == 1 else None

    async def _routes(self, call: Call, infos: list[Row]) -> dict[str, Row] | None:
        ids = _distinct(info["trip"]["routeId"] for info in infos)
        answer = await call.post("ts-route-service", "/api/v1/routeservice/routes/byIds/", body=ids)
        return {each["id"]: each for each in answer["data"]} if answer["status"] == 1 else None

    async def _all_prices(self, call: Call, infos: list[Row]) -> dict[str, Row]:
        keys = _distinct(_price_key(info["trip"]) for info in infos)
        answer = await call.post("ts-price-service", "/api/v1/priceservice/prices/byRouteIdsAndTrainTypes", body=keys)
        return answer["data"] or {}


def _distinct(items: Any) -> list[Any]:
    return list(dict.fromkeys(items))


def _price_key(trip: Row) -> str:
    return f"{trip['routeId']}:{trip['trainTypeName']}"


def _on_route(info: Row, routes: dict[str, Row]) -> bool:
    route = routes.get(info["trip"]["routeId"])
    return route is not None and _goes(route, info["startPlace"], info["endPlace"])


def _goes(route: Row, start: str, end: str) -> bool:
    """Whether a route has both stations, in this order."""
    stations = route["stations"]
    return -1 < index_of(stations, start) < index_of(stations, end)


def _prices(route: Row, start: str, end: str, price: Row) -> dict[str, str]:
    stations, distances = route["stations"], route["distances"]
    distance = distances[stations.index(end)] - distances[stations.index(start)]
    return {
        "economyClass": java_double(distance * price["basicPriceRate"]),
        "confortClass": java_double(distance * price["firstClassPriceRate"]),
    }


def _joined(info: Row, types: dict[str, Row], routes: dict[str, Row], prices: dict[str, Row]) -> Row:
    trip = info["trip"]
    route = routes[trip["routeId"]]
    price = prices.get(_price_key(trip)) or NO_PRICE_ROW
    money = _prices(route, info["startPlace"], info["endPlace"], price)
    return _result(True, types[trip["trainTypeName"]], route, money)


def _result(status: bool, train_type: Row, route: Row, prices: dict[str, str]) -> Row:
    return {"status": status, "percent": 1.0, "trainType": train_type, "route": route, "prices": prices}


SERVICE = BasicService
