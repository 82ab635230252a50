"""A user's way through the whole system, as a client written for the original takes it."""

from typing import Any

import pytest
from tt_booking_examples import EXTRAS, FAST, OTHER, Words, wish
from tt_flow_steps import ORDERS, contact, day
from tt_system import USER_ID, System, new_trace, wait_for


class Client:
    """A user who is logged in; every request belongs to one trace."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.trace, self.headers = new_trace()

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        """The `data` of an answer that says it was done."""
        options = {} if body is None else {"body": body}
        answer = self.system.ask(verb, path, token="user", headers=self.headers, **options)
        assert answer.status_code in (200, 201), answer.text
        envelope = answer.json()
        assert envelope["status"] == 1, envelope
        return envelope["data"]

    def callees(self, service: str) -> list[str]:
        """Whom a service called, in order, in all of this client's requests; from one to the next once only."""
        spans = [
            span
            for span in self.system.spans(self.trace)
            if span["service_name"] == service and span["span_kind"] == "CLIENT"
        ]
        names = [span["attributes"]["peer.service"] for span in sorted(spans, key=lambda span: span["start_unix_nano"])]
        return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


@pytest.fixture
def client(system: System) -> Client:
    """Somebody new to the system, apart from the account."""
    return Client(system)


def book(client: Client, words: Words, date: str, **values: Any) -> dict[str, Any]:
    """Search a trip, book it, and give the order as the client then finds it in the list."""
    travel = "/api/v1/travelservice" if words is FAST else "/api/v1/travel2service"
    asked = {"startPlace": words.start, "endPlace": words.end, "departureTime": date}
    offers = client.ask("POST", f"{travel}/trips/left", asked)
    assert words.trip in [offer["tripId"]["type"] + offer["tripId"]["number"] for offer in offers]
    wanted = wish(words, contactsId=contact(client.system), date=date, **values)
    assert client.ask("POST", f"{words.root}{words.path}", wanted) == "Success"
    orders = client.ask("POST", f"{ORDERS[words.table]}/refresh", {"loginId": USER_ID})
    (order,) = [each for each in orders if (each["trainNumber"], each["travelDate"]) == (words.trip, date)]
    assert order["status"] == 0
    return order


def pay(client: Client, order: dict[str, Any]) -> None:
    """Pay an order."""
    payment = {"orderId": order["id"], "tripId": order["trainNumber"], "userId": USER_ID}
    client.ask("POST", "/api/v1/inside_pay_service/inside_payment", payment)


def status_of(client: Client, words: Words, order: dict[str, Any]) -> int:
    """The state of an order."""
    return client.ask("GET", f"{ORDERS[words.table]}/{order['id']}")["status"]


@pytest.mark.parametrize("words", [FAST, OTHER], ids=["fast line", "other line"])
def test_search_book_pay_collect_enter(client: Client, words: Words) -> None:
    """The order goes from not paid to used; booking calls everybody in the original's order."""
    order = book(client, words, day(20), consigneeName=f"journey {words.trip}", **EXTRAS)
    pay(client, order)
    assert status_of(client, words, order) == 1
    client.ask("GET", f"/api/v1/executeservice/execute/collected/{order['id']}")
    assert status_of(client, words, order) == 2
    client.ask("GET", f"/api/v1/executeservice/execute/execute/{order['id']}")
    assert status_of(client, words, order) == 6
    service, travel, orders = {
        FAST: ("ts-preserve-service", "ts-travel-service", "ts-order-service"),
        OTHER: ("ts-preserve-other-service", "ts-travel2-service", "ts-order-other-service"),
    }[words]
    assert client.callees(service) == [
        "ts-security-service", "ts-contacts-service", travel, "ts-basic-service", "ts-seat-service", orders,
        "ts-assurance-service", "ts-food-service", "ts-consign-service", "ts-user-service",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [FAST, OTHER], ids=["fast line", "other line"])
def test_cancel(client: Client, words: Words) -> None:
    """Four fifths of the price come back, and a cancelled order cannot be collected."""
    order = book(client, words, day(21), seatType=2)
    pay(client, order)
    promised = client.ask("GET", f"/api/v1/cancelservice/cancel/refound/{order['id']}")
    assert promised == f"{float(words.first) * 0.8:.2f}"
    client.ask("GET", f"/api/v1/cancelservice/cancel/{order['id']}/{USER_ID}")
    assert status_of(client, words, order) == 4
    rows = client.system.sql("SELECT 1 FROM inside_money WHERE type = 'D' AND money = $1", promised)
    assert rows
    answer = client.system.get(f"/api/v1/executeservice/execute/collected/{order['id']}", token="user").json()
    assert (answer["status"], answer["msg"]) == (0, "Order Status Wrong")


def test_rebook_with_a_difference_to_pay(client: Client) -> None:
    """A dearer class first says what is missing, then takes it; the changed ticket can be collected, not changed."""
    order = book(client, FAST, day(22))
    pay(client, order)
    wanted = {
        "loginId": USER_ID, "orderId": order["id"], "oldTripId": "D1345", "tripId": "D1345", "seatType": "2",
        "date": day(23),
    }  # fmt: skip
    answer = client.system.post("/api/v1/rebookservice/rebook", wanted, token="user").json()
    assert (answer["status"], answer["data"]["differenceMoney"]) == (2, "27.5")
    changed = client.ask("POST", "/api/v1/rebookservice/rebook/difference", wanted)
    assert (changed["id"], changed["price"], changed["status"]) == (order["id"], "50.0", 3)
    answer = client.system.post("/api/v1/rebookservice/rebook", wanted, token="user").json()
    assert answer["msg"] == "you order not suitable to rebook!"
    client.ask("GET", f"/api/v1/executeservice/execute/collected/{order['id']}")


def test_luggage_and_food_for_an_order(client: Client) -> None:
    """Both are found again by the order, and the food is delivered through the queue."""
    order = book(client, FAST, day(24))
    luggage = {"id": "", "orderId": order["id"], "accountId": USER_ID, "weight": "32", "consignee": "Ada"}
    assert client.ask("PUT", "/api/v1/consignservice/consigns", luggage)["price"] == 132.0
    assert client.ask("GET", f"/api/v1/consignservice/consigns/order/{order['id']}")["consignee"] == "Ada"
    offered = client.ask("GET", f"/api/v1/foodservice/foods/{day(24)}/shanghai/suzhou/D1345")
    food = offered["trainFoodList"][0]
    wanted = {"orderId": order["id"], "foodType": 1, **food}
    client.ask("POST", "/api/v1/foodservice/orders", wanted)
    assert client.ask("GET", f"/api/v1/foodservice/orders/{order['id']}")["foodName"] == food["foodName"]
    statement = "SELECT food_name FROM delivery WHERE order_id = $1"
    rows = wait_for(lambda: client.system.sql(statement, order["id"]), "the delivery")
    assert rows[0][0] == food["foodName"]


def test_a_delivery_belongs_to_the_trace_of_its_order(client: Client) -> None:
    """The queue carries the trace on."""
    client.system.get("/api/v1/foodservice/test_send_delivery", headers=client.headers)

    def consumed() -> list[Any]:
        spans = client.system.spans(client.trace)
        return [span for span in spans if span["service_name"] == "ts-delivery-service"]

    kinds = {span["span_kind"] for span in wait_for(lambda: consumed()[1:] and consumed(), "both spans")}
    assert kinds == {"SERVER", "CLIENT"}


def test_food_ordered_while_the_broker_is_gone_is_not_lost(client: Client) -> None:
    """The order is stored and answered; only its delivery is missing."""
    order = book(client, FAST, day(25))
    with client.system.stopped("rabbitmq"):
        client.ask("POST", "/api/v1/foodservice/orders", {"orderId": order["id"], "foodType": 1, "foodName": "Soup"})
        answer = client.system.get("/api/v1/foodservice/test_send_delivery")
        assert answer.status_code == 500
    assert client.ask("GET", f"/api/v1/foodservice/orders/{order['id']}")["foodName"] == "Soup"


def test_trip_detail_that_returns_null_breaks_booking(system: System) -> None:
    """The callers of the changed function meet a null pointer: 500, and no order."""
    function = "ts_travel_service:TravelService.get_trip_all_detail_info"
    place = system.agent("ts-travel-service", "/code/patch", {"function": function, "action": "return", "value": None})
    try:
        wanted = wish(FAST, contactsId=contact(system), date=day(26))
        answer = system.post("/api/v1/preserveservice/preserve", wanted, token="user")
    finally:
        system.agent("ts-travel-service", "/code/restore", {"function": function})
    assert answer.status_code == 500
    assert place["file"] == "train_ticket/ts_travel_service.py"
    assert not system.sql("SELECT 1 FROM orders WHERE travel_date = $1", day(26))
    assert system.post("/api/v1/preserveservice/preserve", wanted, token="user").json()["status"] == 1
