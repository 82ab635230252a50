"""ts-station-service: stations by name and id."""

from typing import Any

from .access import ADMIN, everyone, only
from .backend import Backend, endpoint, welcome
from .binding import TEXT, list_of
from .calls import Call
from .entities import STATION, STATIONS
from .envelope import Envelope, found, ok, refused

Row = dict[str, Any]


class StationService(Backend):
    """Names are stored in lower case and without blanks; look-ups take them as they are."""

    base = "/api/v1/stationservice"
    # a rule with an exact path leaves what is below it open
    rules = (only(ADMIN, "/stations", "POST", "PUT", "DELETE"), everyone("/**"))
    welcome = welcome("/welcome", "Welcome to [ Station Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.stations = self.repository(STATIONS)
        await super().start()

    @endpoint("GET", "/stations")
    async def query(self, call: Call) -> Envelope:
        """Every station."""
        return found(await self.stations.find(call), "Find all content", "No content")

    @endpoint("POST", "/stations", body=STATION, status=201)
    async def create(self, call: Call, station: Row) -> Envelope:
        """A new one; no name and a known name are refused."""
        if len(station["name"]) == 0:
            return refused("Name not specify", station)
        if await self.stations.one(call, name=station["name"]) is not None:
            return refused("Already exists", station)
        return ok("Create success", await self.stations.save(call, station))

    @endpoint("PUT", "/stations", body=STATION)
    async def update(self, call: Call, station: Row) -> Envelope:
        """Another name and time for a known id."""
        if await self.stations.get(call, station["id"]) is None:
            return refused("Station not exist")
        await self.stations.update(call, station)
        return ok("Update success", station)

    @endpoint("DELETE", "/stations/{station_id}")
    async def delete(self, call: Call, station_id: str) -> Envelope:
        """Delete one and return what it was."""
        station = await self.stations.one(call, id=station_id)
        if station is None:
            return refused("Station not exist")
        await self.stations.delete(call, id=station_id)
        return ok("Delete success", station)

    @endpoint("GET", "/stations/id/{name}")
    async def query_for_station_id(self, call: Call, name: str) -> Envelope:
        """The id of a name."""
        station = await self.stations.one(call, name=name)
        return ok("Success", station["id"]) if station else refused("Not exists", name)

    @endpoint("POST", "/stations/idlist", body=list_of(TEXT))
    async def query_for_id_batch(self, call: Call, names: list[str]) -> Envelope:
        """The ids of names, null for unknown ones."""
        if not names:
            return refused("No content according to name list")
        ids = {row["name"]: row["id"] for row in await self.stations.select(call, "name = ANY($1)", names)}
        return ok("Success", {name: ids.get(name) for name in names})

    @endpoint("GET", "/stations/name/{station_id}")
    async def query_by_id(self, call: Call, station_id: str) -> Envelope:
        """The name of an id."""
        station = await self.stations.one(call, id=station_id)
        return ok("Success", station["name"]) if station else refused("No that stationId", station_id)

    @endpoint("POST", "/stations/namelist", body=list_of(TEXT))
    async def query_for_name_batch(self, call: Call, ids: list[str]) -> Envelope:
        """The names of ids, in their order; unknown ones are left out."""
        names = {row["id"]: row["name"] for row in await self.stations.select(call, "id = ANY($1)", ids)}
        known = [names[key] for key in ids if key in names]
        return found(known, "Success", "No stationNamelist according to stationIdList", [])


SERVICE = StationService
