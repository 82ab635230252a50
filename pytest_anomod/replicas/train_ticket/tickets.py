"""What both travel services do with a trip: its route and train, left tickets, times on the way, and the offer made.

The steps of a search stay in the services: what is measured and changed in a running one is its own module.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .calls import Call
from .dates import now, parse, text_of
from .entities import SEAT, TRIP, TRIP_RESPONSE
from .rail import Row, number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """From where to where, and when, a client wants to travel."""

    start: str
    end: str
    date: str

    def travel(self, trip: Row) -> Row:
        """The question about one trip as the basic service takes it."""
        return {"trip": trip, "startPlace": self.start, "endPlace": self.end, "departureTime": self.date}


def after_today(date: str) -> bool:
    """Whether a date is today or later; TypeError for None."""
    return parse(date).date() >= now().date()


def new_trip(info: Row, key: Row) -> Row:
    """A trip as a client describes it."""
    taken = {name: info[name] for name in TRIP.names() if name not in ("id", "tripId")}
    return TRIP.new(tripId=key, **taken)


def changed_trip(trip: Row, info: Row) -> Row:
    """A trip after a client changed it; its type of train stays."""
    kept = ("id", "tripId", "trainTypeName")
    return {name: trip[name] if name in kept else info[name] for name in trip}


async def route_of(call: Call, route_id: str | None) -> Row | None:
    """A route by its id, None when it is unknown."""
    answer = await call.get("ts-route-service", "/api/v1/routeservice/routes/{routeId}", route_id)
    return answer["data"] if answer["status"] == 1 else None


async def train_type_of(call: Call, name: str | None) -> Row | None:
    """A train type by its name, None when it is unknown."""
    return (await call.get("ts-train-service", "/api/v1/trainservice/trains/byName/{name}", name))["data"]


async def left_tickets(call: Call, trip: Row, result: Row, asked: Asked, seat_class: int, total: int) -> int:
    """How many seats of a class are left between two stations of a trip."""
    seat = SEAT.new(
        travelDate=asked.date,
        trainNumber=number_of(trip),
        startStation=asked.start,
        destStation=asked.end,
        seatType=seat_class,
        totalNum=total,
        stations=result["route"]["stations"],
    )
    answer = await call.post("ts-seat-service", "/api/v1/seatservice/seats/left_tickets", body=seat)
    return answer["data"]


def time_at(trip: Row, result: Row, station: str) -> str:
    """When a trip is at a station of its route, on the day its start time names."""
    route = result["route"]
    distance = route["distances"][route["stations"].index(station)] - route["distances"][0]
    minutes = int(60 * distance / result["trainType"]["averageSpeed"])
    return text_of(parse(trip["startTime"]) + timedelta(minutes=minutes))


def offer(trip: Row, result: Row, asked: Asked, first: int, second: int) -> dict[str, Any]:
    """What a client sees of a trip: times, prices, and the seats left in first and second class."""
    return TRIP_RESPONSE.new(
        tripId=trip["tripId"],
        trainTypeName=trip["trainTypeName"],
        startStation=asked.start,
        terminalStation=asked.end,
        startTime=time_at(trip, result, asked.start),
        endTime=time_at(trip, result, asked.end),
        economyClass=second,
        confortClass=first,
        priceForEconomyClass=result["prices"]["economyClass"],
        priceForConfortClass=result["prices"]["confortClass"],
    )
