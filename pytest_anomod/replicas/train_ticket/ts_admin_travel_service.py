"""ts-admin-travel-service: trips of both travel services for administrators, with a check of what they refer to."""

from typing import Any

from .access import ADMINS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import TRAVEL_INFO
from .envelope import Envelope, ok, refused
from .stations import missing_stations

Row = dict[str, Any]

TRAVEL = ("ts-travel-service", "/api/v1/travelservice")
TRAVEL2 = ("ts-travel2-service", "/api/v1/travel2service")


class AdminTravelService(Backend):
    """Passes on to the service of the trip's letter."""

    base = "/api/v1/admintravelservice"
    rules = ADMINS
    welcome = welcome("/welcome", "Welcome to [ AdminTravel Service ] !")

    @endpoint("GET", "/admintravel")
    async def get_all_travels(self, call: Call) -> Envelope:
        """The trips of both; status and message are those of the second answer."""
        trips: list[Row] = []
        answer: Envelope = {}
        for peer, base in (TRAVEL, TRAVEL2):
            answer = await call.get(peer, f"{base}/admin_trip")
            if answer["status"] == 1:
                trips += answer["data"]
        return {"status": answer["status"], "msg": answer["msg"], "data": trips}

    @endpoint("POST", "/admintravel", body=TRAVEL_INFO)
    async def add_travel(self, call: Call, info: Row) -> Envelope:
        """A new trip."""
        refusal = await self._refusal(call, info)
        if refusal is not None:
            return refusal
        peer, base = _of(info["tripId"])
        answer = await call.post(peer, f"{base}/trips", body=info)
        return ok("[Admin add new travel]") if answer["status"] == 1 else refused("Admin add new travel failed")

    @endpoint("PUT", "/admintravel", body=TRAVEL_INFO)
    async def update_travel(self, call: Call, info: Row) -> Envelope:
        """Write over a trip."""
        refusal = await self._refusal(call, info)
        if refusal is not None:
            return refusal
        peer, base = _of(info["tripId"])
        answer = await call.put(peer, f"{base}/trips", body=info)
        return answer if answer["status"] == 1 else refused("Admin update travel failed")

    @endpoint("DELETE", "/admintravel/{trip_id}")
    async def delete_travel(self, call: Call, trip_id: str) -> Envelope:
        """Delete a trip."""
        peer, base = _of(trip_id)
        answer = await call.delete(peer, f"{base}/trips/{{tripId}}", trip_id)
        return answer if answer["status"] == 1 else refused("Admin delete travel failed")

    async def _refusal(self, call: Call, info: Row) -> Envelope | None:
        """Why a trip cannot be as it is given: stations, train type, route, the stations' order on the route."""
        start, end = info["startStationName"], info["terminalStationName"]
        refusal = await missing_stations(call, [start, end])
        if refusal is not None:
            return refusal
        train = await call.get("ts-train-service", "/api/v1/trainservice/trains/byName/{name}", info["trainTypeName"])
        if train["status"] == 0:
            return refused("Train type doesn't exist")
        route = await call.get("ts-route-service", "/api/v1/routeservice/routes/{routeId}", info["routeId"])
        if route["status"] == 0:
            return refused("Route doesn't exist")
        stations = route["data"]["stations"]
        if start not in stations or end not in stations or stations.index(start) >= stations.index(end):
            return refused("Station not correct in Route")
        return None


def _of(trip_id: str) -> tuple[str, str]:
    return TRAVEL if trip_id.startswith(("G", "D")) else TRAVEL2


SERVICE = AdminTravelService
