"""ts-admin-route-service: routes for administrators, with a check of their stations."""

from typing import Any

from .access import ADMINS
from .backend import Backend, endpoint, welcome
from .calls import Call
from .entities import ROUTE_INFO
from .envelope import Envelope, refused
from .stations import missing_stations
from .texts import java_split

Row = dict[str, Any]

ROUTES = ("ts-route-service", "/api/v1/routeservice/routes")


class AdminRouteService(Backend):
    """Passes on to the route service."""

    base = "/api/v1/adminrouteservice"
    rules = ADMINS
    welcome = welcome("/welcome", "Welcome to [ AdminRoute Service ] !")

    @endpoint("GET", "/adminroute")
    async def get_all_routes(self, call: Call) -> Envelope:
        """Every route."""
        return await call.get(*ROUTES)

    @endpoint("POST", "/adminroute", body=ROUTE_INFO)
    async def add_route(self, call: Call, info: Row) -> Envelope:
        """A route whose ends are on it and whose stations all exist."""
        stations = java_split(info["stationList"])
        if info["startStation"] not in stations or info["endStation"] not in stations:
            return refused("start or end station not include in stationList.")
        refusal = await missing_stations(call, stations)
        return refusal or await call.post(*ROUTES, body=info)

    @endpoint("DELETE", "/adminroute/{route_id}")
    async def delete_route(self, call: Call, route_id: str) -> Envelope:
        """Delete a route."""
        peer, path = ROUTES
        return await call.delete(peer, f"{path}/{{routeId}}", route_id)


SERVICE = AdminRouteService
