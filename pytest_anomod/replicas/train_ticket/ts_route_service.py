"""ts-route-service: routes, each a row of stations with their distances from the first."""

import re
from typing import Any
from uuid import uuid4

from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import TEXT, list_of
from .calls import Call
from .entities import ROUTE_INFO, ROUTES
from .envelope import Envelope, found, ok, refused
from .texts import java_split

Row = dict[str, Any]

ID_LENGTH = 32  # what is shorter is no id
_INTEGER = re.compile(r"[+-]?\d{1,10}")


class RouteService(Backend):
    """Routes by id and by the stations on them."""

    base = "/api/v1/routeservice"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Route Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.routes = self.repository(ROUTES)
        await super().start()

    @endpoint("POST", "/routes", body=ROUTE_INFO)
    async def create_and_modify_route(self, call: Call, info: Row) -> Envelope:
        """A route under its id, or under a new one when it has none of 32 characters."""
        stations, distances = java_split(info["stationList"]), java_split(info["distanceList"])
        if len(stations) != len(distances):
            return refused("Station Number Not Equal To Distance Number")
        given = info["id"]
        route = {
            "id": given if given is not None and len(given) >= ID_LENGTH else str(uuid4()),
            "stations": stations,
            "distances": [parse_int(distance) for distance in distances],
            "startStation": info["startStation"],
            "endStation": info["endStation"],
        }
        return ok("Save and Modify success", await self.routes.save(call, route))

    @endpoint("DELETE", "/routes/{route_id}")
    async def delete_route(self, call: Call, route_id: str) -> Envelope:
        """Delete one; one that is not there is as good as deleted."""
        await self.routes.delete(call, id=route_id)
        return ok("Delete Success", route_id)

    @endpoint("GET", "/routes/{route_id}")
    async def query_by_id(self, call: Call, route_id: str) -> Envelope:
        """One by id."""
        return found(await self.routes.one(call, id=route_id), "Success", "No content with the routeId")

    @endpoint("POST", "/routes/byIds", body=list_of(TEXT))
    async def query_by_ids(self, call: Call, ids: list[str]) -> Envelope:
        """Those with these ids."""
        return found(await self.routes.select(call, "id = ANY($1)", ids), "Success", "No content with the routeIds")

    @endpoint("GET", "/routes")
    async def query_all(self, call: Call) -> Envelope:
        """Every route."""
        return found(await self.routes.find(call), "Success", "No Content")

    @endpoint("GET", "/routes/{start}/{end}")
    async def query_by_start_and_terminal(self, call: Call, start: str, end: str) -> Envelope:
        """Those on which one station comes before the other."""
        routes = [route for route in await self.routes.find(call) if _before(route["stations"], start, end)]
        return found(routes, "Success", "No routes with the startId and terminalId")


def parse_int(text: str) -> int:
    """A distance; ValueError (so 500) for what Java takes for none."""
    if _INTEGER.fullmatch(text) is None:
        raise ValueError(f'For input string: "{text}"')
    return int(text)


def _before(stations: list[str], start: str, end: str) -> bool:
    return start in stations and end in stations and stations.index(start) < stations.index(end)


SERVICE = RouteService
