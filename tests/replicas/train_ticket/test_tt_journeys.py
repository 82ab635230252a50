"""A user's way through the whole system, as a client written for the original takes it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from host_program import wait_for
from tt_booking_examples import EXTRAS, FAST, OTHER, Words, wish
from tt_flow_steps import ORDERS, contact, day, new_order
from tt_system import USER_ID, System, new_trace


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


DETAIL = "ts_travel_service:TravelService.get_trip_all_detail_info"
REFUSAL = {"status": 0, "msg": "refused for a test", "data": None}


@pytest.mark.parametrize(
    ("service", "function", "patch", "seen"),
    [
        ("ts-security-service", "ts_security_service:SecurityService.check", {"value": REFUSAL}, REFUSAL),
        ("ts-order-service", "ts_order_service:OrderService.create", {"action": "raise", "message": "test"}, None),
        ("ts-travel-service", DETAIL, {"value": None}, None),
    ],
    ids=["security check refuses", "order creation raises", "trip detail is null"],
)
def test_booking_with_a_changed_function(system: System, service: str, function: str, patch: Any, seen: Any) -> None:
    """A refusal reaches the client, an exception and a null pointer are 500; no order, and then all is well again."""
    wanted = wish(FAST, contactsId=contact(system), date=day(26))
    path = "/api/v1/preserveservice/preserve"
    before = system.sql("SELECT count(*) FROM orders")[0][0]
    place = system.agent(service, "/code/patch", {"function": function, "action": "return", **patch})
    try:
        answer = system.post(path, wanted, token="user")
    finally:
        system.agent(service, "/code/restore", {"function": function})
    assert answer.status_code == (500 if seen is None else 200)
    assert seen is None or answer.json() == seen
    assert place["file"] == f"train_ticket/{service.replace('-', '_')}.py"
    assert system.sql("SELECT count(*) FROM orders")[0][0] == before
    assert system.post(path, wanted, token="user").json()["status"] == 1


@pytest.fixture
def small_train(system: System) -> Iterator[Callable[[int], None]]:
    """Trips D7100 and Z7100 from shanghai to suzhou without seats in first class; takes the number of others."""
    trains = "/api/v1/trainservice/trains"
    trip = {
        "trainTypeName": "Small", "routeId": "f3d4d4ef-693b-4456-8eed-59c0d717dd08",
        "startTime": "2013-05-04 07:00:00", "endTime": "2013-05-04 08:00:00",
    }  # fmt: skip

    def make(seats: int) -> None:
        train = {"name": "Small", "economyClass": seats, "confortClass": 0, "averageSpeed": 100}
        assert system.post(trains, train).json()["status"] == 1
        for travel, number in (("travelservice", "D7100"), ("travel2service", "Z7100")):
            assert system.post(f"/api/v1/{travel}/trips", trip | {"tripId": number}).status_code == 201

    yield make
    key = system.data(f"{trains}/byName/Small")["id"]
    system.ask("DELETE", f"{trains}/{key}")
    for travel, number in (("travelservice", "D7100"), ("travel2service", "Z7100")):
        system.ask("DELETE", f"/api/v1/{travel}/trips/{number}", token="admin")


@pytest.mark.parametrize(
    ("words", "seat_class", "seats", "msg"),
    [
        (FAST, 2, 100, "Seat Not Enough"),
        (OTHER, 2, 100, "Seat Not Enough"),
        (FAST, 3, 6, "Seat Not Enough"),
        (OTHER, 3, 6, "Check Seat Not Enough"),
    ],
)
def test_a_train_without_seats(
    system: System, small_train: Callable[[int], None], words: Words, seat_class: int, seats: int, msg: str
) -> None:
    """First class needs a seat left; second class is refused only in the one case that the original tests for."""
    small_train(seats)
    wanted = wish(
        words, contactsId=contact(system), date=day(27), seatType=seat_class, tripId=f"{words.trip[0]}7100", to="suzhou"
    )
    answer = system.post(f"{words.root}{words.path}", wanted, token="user").json()
    assert answer == {"status": 0, "msg": msg, "data": None}


def test_second_class_of_the_same_train(system: System, small_train: Callable[[int], None]) -> None:
    """There are seats, and without a row of prices the single question answers with fixed ones."""
    small_train(100)
    wanted = wish(FAST, contactsId=contact(system), date=day(28), tripId="D7100")
    assert system.post("/api/v1/preserveservice/preserve", wanted, token="user").json()["msg"] == "Success."
    (row,) = system.sql("SELECT price FROM orders WHERE train_number = 'D7100' AND travel_date = $1", day(28))
    assert row["price"] == "95.0"
    change = {"loginId": USER_ID, "oldTripId": "G1235", "tripId": "D7100", "seatType": 2, "date": day(28)}
    change["orderId"] = new_order(system, status=1, **{"from": "shanghai", "to": "suzhou"})
    answer = system.post("/api/v1/rebookservice/rebook", change, token="user").json()
    assert answer == {"status": 0, "msg": "Seat Not Enough", "data": None}
