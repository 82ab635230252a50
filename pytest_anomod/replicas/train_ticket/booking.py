"""What both services that book a ticket make of a client's wish: the questions, the order, and what goes with it.

The steps of a booking stay in the services: what is measured and changed in a running one is its own module.
"""

from uuid import uuid4

from .dates import now_text
from .entities import COMMON_ORDER, CONSIGN, FOOD_ORDER, NOTIFY_INFO, SEAT
from .rail import FIRST_CLASS, NOT_PAID, SECOND_CLASS, Row

STATION_FOOD = 2


def first_class(wanted: Row) -> bool:
    """Whether first class is wanted; anything else is second class."""
    return wanted["seatType"] == FIRST_CLASS


def detail_question(wanted: Row) -> Row:
    """The question for the detail of the wanted trip."""
    return {
        "tripId": wanted["tripId"],
        "travelDate": wanted["date"],
        "from": wanted["from"],
        "to": wanted["to"],
    }


def travel_question(wanted: Row, trip: Row) -> Row:
    """The question for route and prices of the wanted trip."""
    return {"trip": trip, "startPlace": wanted["from"], "endPlace": wanted["to"], "departureTime": now_text()}


def seat_question(wanted: Row, travel: Row) -> Row:
    """The request for a seat."""
    train_type = travel["trainType"]
    return SEAT.new(
        travelDate=wanted["date"],
        trainNumber=wanted["tripId"],
        startStation=wanted["from"],
        destStation=wanted["to"],
        seatType=FIRST_CLASS if first_class(wanted) else SECOND_CLASS,
        totalNum=train_type["confortClass"] if first_class(wanted) else train_type["economyClass"],
        stations=travel["route"]["stations"],
    )


def new_order(wanted: Row, contact: Row, offer: Row, travel: Row, ticket: Row) -> Row:
    """The order, not paid yet."""
    first = first_class(wanted)
    return COMMON_ORDER.new(
        id=str(uuid4()),
        boughtDate=now_text(),
        travelDate=wanted["date"],
        travelTime=offer["startTime"],
        accountId=wanted["accountId"],
        contactsName=contact["name"],
        documentType=contact["documentType"],
        contactsDocumentNumber=contact["documentNumber"],
        trainNumber=wanted["tripId"],
        seatClass=FIRST_CLASS if first else SECOND_CLASS,
        seatNumber=str(ticket["seatNo"]),
        status=NOT_PAID,
        price=travel["prices"]["confortClass" if first else "economyClass"],
        **{"from": wanted["from"], "to": wanted["to"]},
    )


def food_order(wanted: Row, order: Row) -> Row:
    """The food that goes with an order; a shop only for food of a station."""
    food = FOOD_ORDER.new(
        orderId=order["id"], foodType=wanted["foodType"], foodName=wanted["foodName"], price=wanted["foodPrice"]
    )
    if wanted["foodType"] == STATION_FOOD:
        food |= {"stationName": wanted["stationName"], "storeName": wanted["storeName"]}
    return food


def consignment(wanted: Row, order: Row) -> Row:
    """The luggage that goes with an order."""
    return CONSIGN.new(
        orderId=order["id"],
        accountId=order["accountId"],
        handleDate=wanted["handleDate"],
        targetDate=order["travelDate"],
        consignee=wanted["consigneeName"],
        phone=wanted["consigneePhone"],
        weight=wanted["consigneeWeight"],
        within=wanted["within"],
        **{"from": order["from"], "to": order["to"]},
    )


def notice(order: Row, user: Row) -> Row:
    """The mail's content, which is made and then not sent; TypeError when there is no user."""
    return NOTIFY_INFO.new(
        date=now_text(),
        email=user["email"],
        username=user["userName"],
        orderNumber=order["id"],
        startPlace=order["from"],
        endPlace=order["to"],
        startTime=order["travelTime"],
        seatClass=str(order["seatClass"]),
        seatNumber=order["seatNumber"],
        price=order["price"],
    )
