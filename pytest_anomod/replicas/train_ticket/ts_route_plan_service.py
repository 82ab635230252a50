"""ts-route-plan-service: cheapest, quickest and shortest routes."""

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .dates import parse
from .entities import ROUTE_PLAN_INFO
from .envelope import Envelope, ok
from .rail import FAST, OTHER, Line, Row, index_of, line_of, number_of

MOST = 5


class RoutePlanService(Backend):
    """Has no table of its own; picks from what both travel services offer."""

    base = "/api/v1/routeplanservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ RoutePlan Service ] !")

    @endpoint("POST", "/routePlan/cheapestRoute", body=ROUTE_PLAN_INFO)
    async def get_cheapest_routes(self, call: Call, info: Row) -> Envelope:
        """At most five offers by their price in second class."""
        offers = sorted(await self._offers(call, info), key=_price)
        return ok("Success", [await self._unit(call, offer) for offer in offers[:MOST]])

    @endpoint("POST", "/routePlan/quickestRoute", body=ROUTE_PLAN_INFO)
    async def get_quickest_routes(self, call: Call, info: Row) -> Envelope:
        """At most five offers by their time on the way."""
        offers = sorted(await self._offers(call, info), key=_duration)
        return ok("Success", [await self._unit(call, offer) for offer in offers[:MOST]])

    @endpoint("POST", "/routePlan/minStopStations", body=ROUTE_PLAN_INFO)
    async def get_min_stop_stations(self, call: Call, info: Row) -> Envelope:
        """The trips on the at most five routes with the fewest stops between the two stations."""
        route_ids = await self._shortest_routes(call, info["startStation"], info["endStation"])
        fast = await self._trips_on(call, FAST, route_ids)
        other = await self._trips_on(call, OTHER, route_ids)
        trips = [trip for pair in zip(other, fast, strict=True) for trips in pair for trip in trips]
        return ok("Success.", [await self._stop_unit(call, info, trip) for trip in trips])

    async def _offers(self, call: Call, info: Row) -> list[Row]:
        """What both travel services offer; a bare list in place of an envelope raises, as it does in the original."""
        asked = {
            "startPlace": info["startStation"],
            "endPlace": info["endStation"],
            "departureTime": info["travelDate"],
        }
        offers = []
        for line in (FAST, OTHER):
            answer = await call.post(line.travel, f"{line.trips}/trips/left", body=asked)
            offers += answer["data"]
        return offers

    async def _unit(self, call: Call, offer: Row) -> Row:
        number = number_of(offer)
        line = line_of(number)
        answer = await call.get(line.travel, f"{line.trips}/routes/{{tripId}}", number)
        return {
            "tripId": number,
            "trainTypeName": offer["trainTypeName"],
            "startStation": offer["startStation"],
            "endStation": offer["terminalStation"],
            "stopStations": answer["data"]["stations"],
            **_prices_and_times(offer),
        }

    async def _shortest_routes(self, call: Call, start: str, end: str) -> list[str]:
        path = "/api/v1/routeservice/routes/{start}/{end}"
        answer = await call.get("ts-route-service", path, start, end)

        def gap(route: Row) -> int:
            return index_of(route["stations"], end) - index_of(route["stations"], start)

        return [route["id"] for route in sorted(answer["data"], key=gap)[:MOST]]

    async def _trips_on(self, call: Call, line: Line, route_ids: list[str]) -> list[list[Row]]:
        return (await call.post(line.travel, f"{line.trips}/trips/routes", body=route_ids))["data"]

    async def _stop_unit(self, call: Call, info: Row, trip: Row) -> Row:
        offer = await self._detail(call, info, trip)
        answer = await call.get("ts-route-service", "/api/v1/routeservice/routes/{routeId}", trip["routeId"])
        route = answer["data"]
        return {
            "tripId": number_of(trip),
            "trainTypeName": offer["trainTypeName"],
            "startStation": info["startStation"],
            "endStation": info["endStation"],
            "stopStations": None if route is None else route["stations"],
            **_prices_and_times(offer),
        }

    async def _detail(self, call: Call, info: Row, trip: Row) -> Row:
        number = number_of(trip)
        line = line_of(number)
        asked = {
            "tripId": number,
            "travelDate": info["travelDate"],
            "from": info["startStation"],
            "to": info["endStation"],
        }
        return (await call.post(line.travel, f"{line.trips}/trip_detail", body=asked))["data"]["tripResponse"]


def _price(offer: Row) -> float:
    return float(offer["priceForEconomyClass"])


def _duration(offer: Row) -> float:
    return (parse(offer["endTime"]) - parse(offer["startTime"])).total_seconds()


def _prices_and_times(offer: Row) -> Row:
    return {
        "priceForSecondClassSeat": offer["priceForEconomyClass"],
        "priceForFirstClassSeat": offer["priceForConfortClass"],
        "startTime": offer["startTime"],
        "endTime": offer["endTime"],
    }


SERVICE = RoutePlanService
