"""What users of TrainTicket do: one function a journey, each request as the original's page and driver send it.

A journey that is refused, or hears nothing, ends there, as a user would. Everything it draws is from its own Random.
"""

from __future__ import annotations

import dataclasses
import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from pytest_anomod.systems._train_ticket_users import Session, administrator, contacts, passenger, pick

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Client

FIRST_DAY = datetime.date(2035, 1, 1)
"""Travel dates begin here: no ticket may be for the past, and the date of a run must not change its requests."""

DAYS = 2000
"""So many that hardly two orders are for the same train and day: the list of sold seats stays short."""

OTHER_LINE_SHARE = 0.2
"""Share of the Z, T and K trains, which have booking, travel and order services of their own."""

FAST_TRIPS = (
    ("G1234", "nanjing", "shanghai"),
    ("G1234", "nanjing", "suzhou"),
    ("G1235", "nanjing", "shanghai"),
    ("G1236", "nanjing", "shanghai"),
    ("G1237", "suzhou", "shanghai"),
    ("D1345", "shanghai", "suzhou"),
)
OTHER_TRIPS = (
    ("Z1234", "shanghai", "nanjing"),
    ("Z1234", "shanghai", "taiyuan"),
    ("Z1235", "nanjing", "beijing"),
    ("Z1236", "taiyuan", "shanghai"),
    ("T1235", "shanghai", "taiyuan"),
    ("K1345", "shanghaihongqiao", "hangzhou"),
)
NANJING_TO_SHANGHAI = ("G1234", "G1235", "G1236")
"""Trains between the same places at different prices: what a ticket can be changed to."""

ADMIN_PAGES = (
    "/api/v1/adminbasicservice/adminbasic/contacts",
    "/api/v1/adminbasicservice/adminbasic/stations",
    "/api/v1/adminbasicservice/adminbasic/trains",
    "/api/v1/adminbasicservice/adminbasic/configs",
    "/api/v1/adminbasicservice/adminbasic/prices",
    "/api/v1/adminorderservice/adminorder",
    "/api/v1/adminrouteservice/adminroute",
    "/api/v1/admintravelservice/admintravel",
    "/api/v1/adminuserservice/users",
)
PLANS = ("cheapest", "quickest", "minStation")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A train between two of its stations on a day."""

    number: str
    start: str
    end: str
    date: str

    @property
    def is_fast(self) -> bool:
        """Whether it is a G or D train."""
        return self.number[0] in "GD"


async def open_page(client: Client, random: Random) -> None:
    """Anyone opens the web page, which asks for the stations through its own server."""
    await client.request("GET", "/index.html", host="ts-ui-dashboard")
    await client.request("GET", "/api/v1/stationservice/stations", host="ts-ui-dashboard")


async def search(client: Client, random: Random) -> None:
    """A user looks which trains go."""
    session = await passenger(client, random)
    if session is not None:
        await _offers(session, _any_trip(random))


async def plan(client: Client, random: Random) -> None:
    """A user has a way planned: the cheapest, the quickest, or the one with the fewest stops."""
    session = await passenger(client, random)
    if session is not None:
        question = _question(_any_trip(random))
        await session.ask("POST", f"/api/v1/travelplanservice/travelPlan/{pick(random, PLANS)}", question)


async def look_at_orders(client: Client, random: Random) -> None:
    """A user opens the page of his orders, which shows those of both lines."""
    session = await passenger(client, random)
    if session is not None:
        await _orders(session, is_fast=True)
        await _orders(session, is_fast=False)


async def book(client: Client, random: Random) -> None:
    """A user books: often with insurance, sometimes with food (on G and D trains) or luggage; he does not pay yet."""
    session = await passenger(client, random)
    if session is None:
        return
    trip = _any_trip(random)
    extras: dict[str, Any] = {"assurance": int(random.random() < 0.5)}
    wants_food, wants_luggage = random.random() < 0.2, random.random() < 0.2
    if wants_food and trip.is_fast:
        extras |= await _food(session, random, trip)
    if wants_luggage:
        extras |= {
            "handleDate": trip.date,
            "consigneeName": "Contacts_Two",
            "consigneePhone": "ContactsPhoneNum_Two",
            "consigneeWeight": random.randint(1, 40),
            "within": random.random() < 0.5,
        }
    await _preserve(session, random, trip, **extras)


async def travel(client: Client, random: Random) -> None:
    """A user searches, books, pays, collects the ticket and enters the station."""
    session = await passenger(client, random)
    if session is None:
        return
    trip = _any_trip(random)
    if not await _offers(session, trip):
        return
    order = await _paid(session, random, trip)
    if order is None:
        return
    for step in ("collected", "execute"):
        if await session.get(f"/api/v1/executeservice/execute/{step}/{{order_id}}", order_id=order["id"]) is None:
            return


async def cancel(client: Client, random: Random) -> None:
    """A user books, half of them pay, and cancels after a look at what he will get back."""
    session = await passenger(client, random)
    if session is None:
        return
    trip = _any_trip(random)
    has_paid = random.random() < 0.5
    order = await (_paid if has_paid else _booked)(session, random, trip)
    if order is None:
        return
    values = {"order_id": order["id"], "user_id": session.user.user_id}
    if await session.get("/api/v1/cancelservice/cancel/refound/{order_id}", **values) is not None:
        await session.get("/api/v1/cancelservice/cancel/{order_id}/{user_id}", **values)


async def rebook(client: Client, random: Random) -> None:
    """A user changes a paid ticket to another train; for a dearer one he pays the difference."""
    session = await passenger(client, random)
    if session is None:
        return
    old, new = random.sample(NANJING_TO_SHANGHAI, 2)
    order = await _paid(session, random, _trip(random, (old, "nanjing", "shanghai")))
    if order is None:
        return
    change = {
        "loginId": session.user.user_id,
        "orderId": order["id"],
        "oldTripId": old,
        "tripId": new,
        "seatType": order["seatClass"],
        "date": _date(random),
    }
    answer = await session.ask("POST", "/api/v1/rebookservice/rebook", change)
    if answer is not None and answer["status"] == 2:
        await session.ask("POST", "/api/v1/rebookservice/rebook/difference", change)


async def consign(client: Client, random: Random) -> None:
    """A user sends luggage with an order and looks at all he has sent."""
    session = await passenger(client, random)
    if session is None:
        return
    order = await _booked(session, random, _any_trip(random))
    if order is None:
        return
    luggage = {
        "id": "",
        "orderId": order["id"],
        "accountId": session.user.user_id,
        "handleDate": order["travelDate"],
        "targetDate": order["travelDate"],
        "from": order["from"],
        "to": order["to"],
        "consignee": "Contacts_One",
        "phone": "ContactsPhoneNum_One",
        "weight": random.randint(1, 40),
        "within": random.random() < 0.5,
    }
    if await session.ask("PUT", "/api/v1/consignservice/consigns", luggage) is not None:
        await session.get("/api/v1/consignservice/consigns/account/{user_id}", user_id=session.user.user_id)


async def order_food(client: Client, random: Random) -> None:
    """A user orders food for a booking he has made; it is delivered by way of the queue."""
    session = await passenger(client, random)
    if session is None:
        return
    trip = _trip(random, pick(random, FAST_TRIPS))
    order = await _booked(session, random, trip)
    if order is None:
        return
    food = await _food(session, random, trip)
    if food:
        food["price"] = food.pop("foodPrice")
        await session.ask("POST", "/api/v1/foodservice/orders", {"orderId": order["id"], **food})


async def administrate(client: Client, random: Random) -> None:
    """The administrator looks at one of his pages."""
    session = await administrator(client, random)
    if session is not None:
        await session.get(pick(random, ADMIN_PAGES))


async def _offers(session: Session, trip: Trip) -> Any:
    """What goes where a trip goes, on its line and day."""
    service = "travelservice" if trip.is_fast else "travel2service"
    answer = await session.ask("POST", f"/api/v1/{service}/trips/left", _question(trip))
    return (answer or {}).get("data")


async def _preserve(session: Session, random: Random, trip: Trip, **extras: Any) -> bool:
    """Book a seat on a trip for one of the user's contacts; whether that worked."""
    people = await contacts(session)
    if not people:
        return False
    wish = {
        "accountId": session.user.user_id,
        "contactsId": pick(random, people)["id"],
        "tripId": trip.number,
        "seatType": random.choice((2, 3)),
        "date": trip.date,
        "from": trip.start,
        "to": trip.end,
        "assurance": 0,
        "foodType": 0,
        **extras,
    }
    path = "/api/v1/preserveservice/preserve" if trip.is_fast else "/api/v1/preserveotherservice/preserveOther"
    return await session.ask("POST", path, wish) is not None


async def _booked(session: Session, random: Random, trip: Trip) -> dict[str, Any] | None:
    """A new order, looked up among the user's orders, as its id is not in the answer; None when there is none."""
    if not await _preserve(session, random, trip):
        return None
    for order in reversed(await _orders(session, is_fast=trip.is_fast)):
        if (order["trainNumber"], order["travelDate"], order["status"]) == (trip.number, trip.date, 0):
            return order
    return None


async def _paid(session: Session, random: Random, trip: Trip) -> dict[str, Any] | None:
    """A new order that is paid; None when that failed."""
    order = await _booked(session, random, trip)
    if order is None:
        return None
    payment = {"userId": session.user.user_id, "orderId": order["id"], "tripId": trip.number}
    answer = await session.ask("POST", "/api/v1/inside_pay_service/inside_payment", payment)
    return order if answer is not None else None


async def _orders(session: Session, *, is_fast: bool) -> list[dict[str, Any]]:
    """The user's orders of a line."""
    path = "/api/v1/orderservice/order/refresh" if is_fast else "/api/v1/orderOtherService/orderOther/refresh"
    answer = await session.ask("POST", path, {"loginId": session.user.user_id})
    return (answer or {}).get("data") or []


async def _food(session: Session, random: Random, trip: Trip) -> dict[str, Any]:
    """Food on the train, or from a shop on the way, as a booking names it; {} when there is none."""
    answer = await session.get(
        "/api/v1/foodservice/foods/{day}/{start}/{end}/{number}",
        day=trip.date[:10],
        start=trip.start,
        end=trip.end,
        number=trip.number,
    )
    offer = (answer or {}).get("data")
    if not offer:
        return {}
    shops = [shop for station in offer["foodStoreListMap"].values() for shop in station]
    if shops and random.random() < 0.5:
        shop = pick(random, shops)
        food = pick(random, shop["foodList"])
        place = {"foodType": 2, "stationName": shop["stationName"], "storeName": shop["storeName"]}
    else:
        food, place = pick(random, offer["trainFoodList"]), {"foodType": 1}
    return {**place, "foodName": food["foodName"], "foodPrice": food["price"]}


def _any_trip(random: Random) -> Trip:
    trips = OTHER_TRIPS if random.random() < OTHER_LINE_SHARE else FAST_TRIPS
    return _trip(random, pick(random, trips))


def _trip(random: Random, trip: tuple[str, str, str]) -> Trip:
    number, start, end = trip
    return Trip(number=number, start=start, end=end, date=_date(random))


def _date(random: Random) -> str:
    return f"{FIRST_DAY + datetime.timedelta(days=random.randrange(DAYS))} 00:00:00"


def _question(trip: Trip) -> dict[str, str]:
    return {"startPlace": trip.start, "endPlace": trip.end, "departureTime": trip.date}
