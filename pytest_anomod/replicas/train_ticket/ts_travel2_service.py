"""ts-travel2-service: trips of Z, T and K trains, left tickets, trip detail."""

from typing import Any

from . import tickets
from .access import OPEN
from .backend import Backend, endpoint, welcome
from .binding import TEXT, list_of
from .calls import Call
from .entities import TRAVEL_INFO, TRIP_DETAIL_INFO, TRIP_INFO, TRIPS2
from .envelope import Envelope, found, ok, refused
from .rail import FIRST_CLASS, SECOND_CLASS, Row, number_of, trip_key
from .tickets import Asked

# the original's literals swallowed its own code, quotes and all
TRIP_NOT_FOUND = '"[Get Route By Trip ID] Trip Not Found:" + tripId'
ROUTE_NOT_FOUND = '"[Get Route By Trip ID] Route Not Found:" + trip.getRouteId()'


def _detail(offer: Row | None, trip: Row | None) -> Row:
    """A trip's detail; the two first fields are never set in the original."""
    return {"status": False, "message": None, "tripResponse": offer, "trip": trip}


class Travel2Service(Backend):
    """A table of trips, and what the basic and seat services know of them."""

    base = "/api/v1/travel2service"
    rules = OPEN
    welcome = welcome("/welcome", "Welcome to [ Travle2 Service ] !")

    async def start(self) -> None:
        """Name the table."""
        self.trips = self.repository(TRIPS2)
        await super().start()

    @endpoint("GET", "/train_types/{tripId}")
    async def get_train_type_by_trip_id(self, call: Call, trip_id: str) -> Envelope:
        """The train type of a trip."""
        trip = await self.trips.one(call, tripId=trip_key(trip_id))
        train_type = None
        if trip is not None:
            train_type = await tickets.train_type_of(call, trip["trainTypeName"])
        return found(train_type, "Success query Train by trip id", "No Content")

    @endpoint("GET", "/routes/{tripId}")
    async def get_route_by_trip_id(self, call: Call, trip_id: str) -> Envelope:
        """The route of a trip."""
        trip = await self.trips.one(call, tripId=trip_key(trip_id))
        if trip is None:
            return refused(TRIP_NOT_FOUND)
        route = await tickets.route_of(call, trip["routeId"])
        return found(route, "[Get Route By Trip ID] Success", ROUTE_NOT_FOUND)

    @endpoint("POST", "/trips/routes", body=list_of(TEXT))
    async def get_trips_by_route_id(self, call: Call, route_ids: list[str]) -> Envelope:
        """The trips on each of some routes, a list for each."""
        trips = [await self.trips.find(call, routeId=route_id) for route_id in route_ids]
        return found(trips, "Success", "No Content")

    @endpoint("POST", "/trips", body=TRAVEL_INFO, status=201)
    async def create_trip(self, call: Call, info: Row) -> Envelope:
        """A new trip; a known number is no refusal, only another message."""
        key = trip_key(info["tripId"])
        if await self.trips.one(call, tripId=key) is not None:
            return ok(f"Trip {info['tripId']} already exists")
        trip = tickets.new_trip(info, key)
        number = number_of(trip)
        await self.trips.insert(call, trip)
        return ok(f"Create trip info:{number}.")

    @endpoint("GET", "/trips/{tripId}")
    async def retrieve(self, call: Call, trip_id: str) -> Envelope:
        """One trip."""
        trip = await self.trips.one(call, tripId=trip_key(trip_id))
        return found(trip, f"Search Trip Success by Trip Id {trip_id}", f"No Content according to tripId{trip_id}")

    @endpoint("PUT", "/trips", body=TRAVEL_INFO)
    async def update_trip(self, call: Call, info: Row) -> Envelope:
        """Another route, stations and times for a trip."""
        trip = await self.trips.one(call, tripId=trip_key(info["tripId"]))
        if trip is None:
            return ok(f"Trip{info['tripId']}doesn 't exists")
        trip = tickets.changed_trip(trip, info)
        await self.trips.update(call, trip)
        return ok(f"Update trip info:{number_of(trip)}", trip)

    @endpoint("DELETE", "/trips/{tripId}")
    async def delete_trip(self, call: Call, trip_id: str) -> Envelope:
        """Delete a trip."""
        if await self.trips.delete(call, tripId=trip_key(trip_id)) == 0:
            return refused(f"Trip {trip_id} doesn't exist.")
        return ok(f"Delete trip:{trip_id}.", trip_id)

    @endpoint("POST", "/trips/left", body=TRIP_INFO)
    async def query_info(self, call: Call, info: Row) -> Envelope | list[Any]:
        """The trips between two places on a day, with left tickets; a bare empty list for half a question."""
        if not (info["startPlace"] and info["endPlace"] and info["departureTime"]):
            return []
        asked = Asked(start=info["startPlace"], end=info["endPlace"], date=info["departureTime"])
        trips = await self.trips.find(call)
        return ok("Success", await self.get_tickets_by_batch(call, trips, asked))

    @endpoint("POST", "/trip_detail", body=TRIP_DETAIL_INFO)
    async def get_trip_all_detail_info(self, call: Call, info: Row) -> Envelope:
        """A trip and its offer between two of its stations on a day."""
        trip = await self.trips.one(call, tripId=trip_key(info["tripId"]))
        if trip is None:
            return refused("Trip not found", _detail(None, None))
        asked = Asked(start=info["from"], end=info["to"], date=info["travelDate"])
        offer = await self.get_tickets(call, trip, asked)
        if offer is None:
            return refused("getTickets failed", _detail(None, None))
        return ok("Success", _detail(offer, trip))

    @endpoint("GET", "/trips")
    async def query_all(self, call: Call) -> Envelope:
        """Every trip."""
        return found(await self.trips.find(call), "Success", "No Content")

    @endpoint("GET", "/admin_trip")
    async def admin_query_all(self, call: Call) -> Envelope:
        """Every trip with its route and train type."""
        rows = []
        for trip in await self.trips.find(call):
            route = await tickets.route_of(call, trip["routeId"])
            train_type = await tickets.train_type_of(call, trip["trainTypeName"])
            rows.append({"trip": trip, "trainType": train_type, "route": route})
        return found(rows, "Travel Service Admin Query All Travel Success", "No Content")

    async def get_tickets_by_batch(self, call: Call, trips: list[Row], asked: Asked) -> list[Row]:
        """The offers of all trips that go between two places; none for a day that is over."""
        if not tickets.after_today(asked.date):
            return []
        questions = [asked.travel(trip) for trip in trips]
        answer = await call.post("ts-basic-service", "/api/v1/basicservice/basic/travels", body=questions)
        if answer["status"] == 0:
            call.log.info(f"[getTicketsByBatch][{answer['msg']}][{asked.start} to {asked.end}]")
            return []
        by_number = {number_of(trip): trip for trip in trips}
        return [await self.offer(call, by_number[number], each, asked) for number, each in answer["data"].items()]

    async def get_tickets(self, call: Call, trip: Row, asked: Asked) -> Row | None:
        """The offer of one trip, None when it does not go between two places or the day is over."""
        if not tickets.after_today(asked.date):
            return None
        answer = await call.post("ts-basic-service", "/api/v1/basicservice/basic/travel", body=asked.travel(trip))
        if answer["status"] == 0:
            call.log.info(f"[getTickets][{answer['msg']}][{number_of(trip)}]")
            return None
        return await self.offer(call, trip, answer["data"], asked)

    async def offer(self, call: Call, trip: Row, result: Row, asked: Asked) -> Row:
        """An offer with the tickets that are left of both classes."""
        train_type = result["trainType"]
        first = await tickets.left_tickets(call, trip, result, asked, FIRST_CLASS, train_type["confortClass"])
        second = await tickets.left_tickets(call, trip, result, asked, SECOND_CLASS, train_type["economyClass"])
        return tickets.offer(trip, result, asked, first, second)


SERVICE = Travel2Service
