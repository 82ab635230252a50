"""What the two order services share: the filter of queries, sold tickets, and the counts of the security check."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from .calls import Call
from .database import Repository
from .dates import iso_of, parse, text_of

Row = dict[str, Any]

NOT_PAID, PAID, COLLECTED, CHANGE = 0, 1, 2, 3
VALID = (NOT_PAID, PAID, COLLECTED)
SEATS = {
    0: "noSeat",
    1: "businessSeat",
    2: "firstClassSeat",
    3: "secondClassSeat",
    4: "hardSeat",
    5: "softSeat",
    6: "hardBed",
    7: "softBed",
    8: "highSoftBed",
}


async def same_order(orders: Repository, call: Call, order: Row) -> Row | None:
    """An order of the account that is the same in everything but its id."""
    return await orders.one(call, **{name: value for name, value in order.items() if name != "id"})


def matching(orders: Iterable[Row], query: Mapping[str, Any]) -> list[Row]:
    """The orders a query asks for; without any of its switches all of them.

    As in the original all three dates are read for every order as soon as one switch is on (a missing one is a
    TypeError, so 500), and the travel date is held against the start of the buying dates.
    """
    if not (query["enableStateQuery"] or query["enableTravelDateQuery"] or query["enableBoughtDateQuery"]):
        return list(orders)
    return [order for order in orders if _matches(order, query)]


def _matches(order: Row, query: Mapping[str, Any]) -> bool:
    bought, travel = parse(order["boughtDate"]), parse(order["travelDate"])
    travel_end = parse(query["travelDateEnd"])
    start, end = parse(query["boughtDateStart"]), parse(query["boughtDateEnd"])
    if query["enableStateQuery"] and order["status"] != query["state"]:
        return False
    if query["enableTravelDateQuery"] and not start < travel < travel_end:
        return False
    return not query["enableBoughtDateQuery"] or start < bought < end


async def tickets(orders: Repository, call: Call, seat: Mapping[str, Any]) -> list[Row]:
    """The tickets sold for a train on a day; a seat number that is no number is a ValueError (so 500)."""
    if seat["travelDate"] is None:
        raise TypeError("the travel date is missing")
    sold = await orders.find(call, travelDate=seat["travelDate"], trainNumber=seat["trainNumber"])
    return [
        {"seatNo": int(order["seatNumber"]), "startStation": order["from"], "destStation": order["to"]}
        for order in sold
    ]


async def sold_ticket(orders: Repository, call: Call, travel_date: str, train_number: str) -> Row:
    """How many tickets of each class are sold for a train on a day; changed and cancelled orders do not count."""
    moment = parse(travel_date)
    sold = await orders.find(call, travelDate=text_of(moment), trainNumber=train_number)
    counts = dict.fromkeys(SEATS.values(), 0)
    for order in sold:
        if order["status"] < CHANGE and order["seatClass"] in SEATS:
            counts[SEATS[order["seatClass"]]] += 1
    return {"travelDate": iso_of(moment), "trainNumber": train_number, **counts}


async def security_counts(orders: Repository, call: Call, check_date: str, account_id: str) -> Row:
    """Orders of an account in the hour before a date, and its valid ones."""
    statement = f"SELECT bought_date, status FROM {orders.table.name} WHERE account_id = $1"
    rows = await orders.fetch(call, statement, account_id)
    since = _hour_before(parse(check_date))
    return {
        "orderNumInLastOneHour": sum(parse(row["bought_date"]) > since for row in rows),
        "orderNumOfValidOrder": sum(row["status"] in VALID for row in rows),
    }


def _hour_before(moment: datetime) -> datetime:
    return moment - timedelta(hours=1)
