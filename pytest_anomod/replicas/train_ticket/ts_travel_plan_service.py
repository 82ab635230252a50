"""ts-travel-plan-service: plans with transfers and rest tickets."""

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import SEAT, TRANSFER_INFO, TRIP_INFO
from .envelope import Envelope, found, ok
from .rail import FAST, FIRST_CLASS, OTHER, SECOND_CLASS, Row

MOST = 5


class TravelPlanService(Backend):
    """Has no table of its own; adds left tickets to planned routes."""

    base = "/api/v1/travelplanservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ TravelPlan Service ] !")

    @endpoint("POST", "/travelPlan/transferResult", body=TRANSFER_INFO)
    async def get_transfer_result(self, call: Call, info: Row) -> Envelope:
        """Offers from the start to a station on the way, and from there to the end."""
        date = info["travelDate"]
        first = await self._section(call, info["startStation"], info["viaStation"], date)
        second = await self._section(call, info["viaStation"], info["endStation"], date)
        return ok("Success.", {"firstSectionResult": first, "secondSectionResult": second})

    @endpoint("POST", "/travelPlan/cheapest", body=TRIP_INFO)
    async def get_by_cheapest(self, call: Call, info: Row) -> Envelope:
        """The cheapest routes with their rest tickets."""
        return await self._planned(call, info, "cheapestRoute")

    @endpoint("POST", "/travelPlan/quickest", body=TRIP_INFO)
    async def get_by_quickest(self, call: Call, info: Row) -> Envelope:
        """The quickest routes with their rest tickets."""
        return await self._planned(call, info, "quickestRoute")

    @endpoint("POST", "/travelPlan/minStation", body=TRIP_INFO)
    async def get_by_min_station(self, call: Call, info: Row) -> Envelope:
        """The routes with the fewest stops with their rest tickets."""
        return await self._planned(call, info, "minStopStations")

    async def _section(self, call: Call, start: str, end: str, date: str) -> list[Row]:
        asked = {"startPlace": start, "endPlace": end, "departureTime": date}
        offers = []
        for line in (FAST, OTHER):
            answer = await call.post(line.travel, f"{line.trips}/trips/left", body=asked)
            offers += answer["data"]
        return offers

    async def _planned(self, call: Call, info: Row, way: str) -> Envelope:
        asked = {
            "startStation": info["startPlace"],
            "endStation": info["endPlace"],
            "travelDate": info["departureTime"],
            "num": MOST,
        }
        answer = await call.post("ts-route-plan-service", f"/api/v1/routeplanservice/routePlan/{way}", body=asked)
        units = [await self._unit(call, unit, info["departureTime"]) for unit in answer["data"]]
        return found(units, "Success", "Cannot Find")

    async def _unit(self, call: Call, unit: Row, date: str) -> Row:
        path = "/api/v1/trainservice/trains/byName/{name}"
        train_type = (await call.get("ts-train-service", path, unit["trainTypeName"]))["data"]
        first = await self._rest_tickets(call, unit, date, FIRST_CLASS, train_type["confortClass"])
        second = await self._rest_tickets(call, unit, date, SECOND_CLASS, train_type["economyClass"])
        return {
            "tripId": unit["tripId"],
            "trainTypeId": unit["trainTypeName"],
            "startStation": unit["startStation"],
            "endStation": unit["endStation"],
            "stopStations": unit["stopStations"],
            "priceForSecondClassSeat": unit["priceForSecondClassSeat"],
            "numberOfRestTicketSecondClass": second,
            "priceForFirstClassSeat": unit["priceForFirstClassSeat"],
            "numberOfRestTicketFirstClass": first,
            "startTime": unit["startTime"],
            "endTime": unit["endTime"],
        }

    async def _rest_tickets(self, call: Call, unit: Row, date: str, seat_class: int, total: int) -> int:
        """Left tickets of a class; the original asks for the way back, start and end swapped."""
        seat = SEAT.new(
            travelDate=date,
            trainNumber=unit["tripId"],
            startStation=unit["endStation"],
            destStation=unit["startStation"],
            seatType=seat_class,
            totalNum=total,
            stations=unit["stopStations"],
        )
        return (await call.post("ts-seat-service", "/api/v1/seatservice/seats/left_tickets", body=seat))["data"]


SERVICE = TravelPlanService
