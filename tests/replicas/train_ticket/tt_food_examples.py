"""Examples for food, its delivery, notices by mail, the waiting list and vouchers."""

import json
import secrets
from typing import Any
from uuid import uuid4

from host_program import wait_for
from tt_basic_examples import at_least
from tt_examples import Example, one, zero
from tt_flow_steps import order, publish
from tt_system import UNKNOWN_ID, System

F, D = "/api/v1/foodservice", "/api/v1/fooddeliveryservice"
N, W = "/api/v1/notifyservice", "/api/v1/waitorderservice"
FIRST = "88888888-1111-4111-8111-111111111111"


def _example(verb: str, root: str, path: str, /, **more: Any) -> Example:
    return Example(endpoint=f"{verb} {root}{path}", **more)


def _fresh(system: System) -> dict[str, Any]:
    return {"order": str(uuid4()), "other": str(uuid4())}


def _delivered(*names: str, **wanted: Any) -> Any:
    """The deliveries of these orders arrive through the queue."""

    def look(system: System, known: Any, answer: Any) -> None:
        statement = "SELECT * FROM delivery WHERE order_id = $1"
        for name in names:
            (row,) = wait_for(lambda key=known[name]: system.sql(statement, key), f"the delivery of {name}")
            assert {key: row[key] for key in wanted} == wanted

    return look


def _food_id(system: System) -> dict[str, Any]:
    return {"food": system.sql("SELECT id FROM food_order WHERE order_id = $1", FIRST)[0][0]}


_FOOD = {
    "orderId": FIRST,
    "foodType": 2,
    "stationName": "shanghai",
    "storeName": "KFC",
    "foodName": "Cola",
    "price": 2,
}
_KEPT = _FOOD | {"price": 2.0}
_FOODS = f"{F}/foods/2035-01-01"
_FAILED = zero("Get All Food Failed", {"trainFoodList": None, "foodStoreListMap": None})
_ORDERS = (
    _example("GET", F, "/welcome", wanted="Welcome to [ Food Service ] !"),
    _example("GET", F, "/test_send_delivery", wanted=True,
             then=lambda system, *_: wait_for(
                 lambda: system.sql("SELECT 1 FROM delivery WHERE food_name = 'HotPot'"), "the delivery")),
    _example("POST", F, "/orders", body=_FOOD, wanted=one("Success.", _KEPT | {"id": str})),
    _example("POST", F, "/orders", name="again", body=_FOOD, wanted=zero("Order Id Has Existed.")),
    _example("POST", F, "/orders", name="of a train, delivered", given=_fresh,
             body=_FOOD | {"orderId": "{order}", "foodType": 1},
             wanted=one("Success.", {"stationName": None, "storeName": None, "foodName": "Cola"}),
             then=_delivered("order", food_name="Cola", store_name="KFC", station_name="shanghai")),
    _example("POST", F, "/orders", name="no UUID, yet it stays", body=_FOOD | {"orderId": "no uuid"}, status=500,
             then=lambda system, *_: system.sql(
                 "DELETE FROM food_order WHERE order_id = 'no uuid' RETURNING id")[0]),
    _example("POST", F, "/createOrderBatch", given=_fresh,
             body=[_FOOD | {"orderId": "{order}"}, _FOOD | {"orderId": "{other}"}],
             wanted=one("Success."), then=_delivered("order", "other", food_name="Cola")),
    _example("POST", F, "/createOrderBatch", name="one is known", given=_fresh,
             body=[_FOOD | {"orderId": "{order}"}, _FOOD], wanted=zero(f"Order Id {FIRST}Existed")),
    _example("GET", F, "/orders", wanted=one("Success.", at_least(4))),
    _example("GET", F, "/orders/{orderId}", path=f"{F}/orders/{FIRST}", wanted=one("Success.", _KEPT)),
    _example("GET", F, "/orders/{orderId}", path=f"{F}/orders/{UNKNOWN_ID}", wanted=zero("Order Id Is Non-Existent.")),
    _example("GET", F, "/orders/{orderId}", path=f"{F}/orders/x", status=500),
    _example("PUT", F, "/orders", given=_food_id, name="of a station keeps its shop",
             body=_FOOD | {"id": "{food}", "foodName": "Tea", "storeName": "x"},
             wanted=one("Success", {"foodName": "Tea", "storeName": "KFC"})),
    _example("PUT", F, "/orders", given=_food_id, name="of a train takes the shop",
             body=_FOOD | {"id": "{food}", "foodType": 1, "storeName": "x"}, wanted=one("Success", {"storeName": "x"})),
    _example("PUT", F, "/orders", name="unknown", body=_FOOD | {"id": UNKNOWN_ID},
             wanted=zero("Order Id Is Non-Existent.")),
    _example("PUT", F, "/orders", name="no id", body=_FOOD, status=500),
    _example("DELETE", F, "/orders/{orderId}", path=f"{F}/orders/{FIRST}", wanted=one("Success.")),
    _example("DELETE", F, "/orders/{orderId}", path=f"{F}/orders/{FIRST}", name="gone",
             wanted=zero("Order Id Is Non-Existent.")),
    _example("GET", F, "/foods/{date}/{startStation}/{endStation}/{tripId}", path=f"{_FOODS}/shanghai/suzhou/D1345",
             wanted=one("Get All Food Success", {
                 "trainFoodList": lambda foods: [food["foodName"] for food in foods]
                 == ["Spicy hot noodles", "Soup", "Oily bean curd"],
                 "foodStoreListMap": {
                     "shanghai": [{"storeName": "KFC"}, {"storeName": "Good Taste"}],
                     "suzhou": [{"storeName": "Roman Holiday"}],
                 },
             })),
    _example("GET", F, "/foods/{date}/{startStation}/{endStation}/{tripId}", path=f"{_FOODS}/zhenjiang/suzhou/G1234",
             wanted=one("Get All Food Success", {  # every second station was taken out while looking for the start
                 "foodStoreListMap": lambda shops: list(shops) == ["zhenjiang", "suzhou"]
                 and shops["zhenjiang"] == [] and len(shops["suzhou"]) == 1,
             })),
    _example("GET", F, "/foods/{date}/{startStation}/{endStation}/{tripId}", path=f"{_FOODS}/Shang Hai/Su Zhou/D1345",
             wanted=_FAILED),
    _example("GET", F, "/foods/{date}/{startStation}/{endStation}/{tripId}", path=f"{_FOODS}/a/b/D1",
             wanted=zero("Trip id is not suitable")),
    _example("GET", F, "/foods/{date}/{startStation}/{endStation}/{tripId}", path=f"{_FOODS}/a/b/Z1234",
             wanted=zero("Get the Get Food Request Failed!")),
)  # fmt: skip

_HERE = "ts-food-delivery-service"


def _shop(system: System) -> dict[str, Any]:
    return {"shop": system.data("/api/v1/stationfoodservice/stationfoodstores")[0]["id"]}


def _delivery(system: System) -> dict[str, Any]:
    known = _shop(system)
    body = _ORDER | {"stationFoodStoreId": known["shop"]}
    return known | {"id": system.post(f"{D}/orders", body, service=_HERE).json()["data"]["id"]}


_ORDER = {
    "stationFoodStoreId": "{shop}",
    "foodList": [{"foodName": "Cola"}, {"foodName": "Hamburger", "price": 0}],
    "tripId": "G1234",
    "seatNo": 7,
}
_CHANGES = (("tripid", "tripId", "G1235"), ("seatno", "seatNo", 9), ("dtime", "deliveryTime", "t"))
_NONE = zero("No such food delivery order id", UNKNOWN_ID)
_NO_UPDATE = zero("No such delivery order id", UNKNOWN_ID)
_DELIVERIES = (
    _example("GET", D, "/welcome", service=_HERE, wanted="Welcome to [ food delivery service ] !"),
    _example("GET", D, "/orders/all", service=_HERE, name="none",
             given=lambda system: {"gone": system.sql("DELETE FROM food_delivery_order")},
             wanted=zero("food delivery orders query error")),
    _example("POST", D, "/orders", service=_HERE, body=_ORDER, given=_shop,
             wanted=one("Save success", {"id": str, "deliveryFee": 27.0, "seatNo": 7, "foodList": [
                 {"foodName": "Cola", "price": 0.0}, {"foodName": "Hamburger", "price": 0.0}]})),
    _example("POST", D, "/orders", service=_HERE, name="unknown food", given=_shop,
             body=_ORDER | {"foodList": [{"foodName": "Air"}]}, wanted=zero("Food not in store")),
    _example("POST", D, "/orders", service=_HERE, name="unknown shop", status=500,
             body=_ORDER | {"stationFoodStoreId": UNKNOWN_ID}),
    _example("GET", D, "/orders/{orderId}", service=_HERE, path=f"{D}/orders/{{id}}", given=_delivery,
             wanted=one("Get success", {"id": "{id}", "tripId": "G1234"})),
    _example("GET", D, "/orders/{orderId}", service=_HERE, path=f"{D}/orders/{UNKNOWN_ID}", wanted=_NONE),
    _example("GET", D, "/orders/all", service=_HERE, wanted=one("Get success", at_least(2))),
    _example("GET", D, "/orders/store/{storeId}", service=_HERE, path=f"{D}/orders/store/{{shop}}", given=_shop,
             wanted=one("Get success", at_least(2))),
    _example("GET", D, "/orders/store/{storeId}", service=_HERE, path=f"{D}/orders/store/{UNKNOWN_ID}",
             wanted=zero("food delivery orders query error", UNKNOWN_ID)),
    *(
        example
        for path, field, value in _CHANGES
        for example in (
            _example("PUT", D, f"/orders/{path}", service=_HERE, body={"orderId": "{id}", field: value},
                     given=_delivery, wanted=one(f"update {field} success", {"id": "{id}", field: value})),
            _example("PUT", D, f"/orders/{path}", service=_HERE, name="unknown",
                     body={"orderId": UNKNOWN_ID, field: value}, wanted=_NO_UPDATE),
        )
    ),
    _example("DELETE", D, "/orders/d/{orderId}", service=_HERE, path=f"{D}/orders/d/{{id}}", given=_delivery,
             wanted=one("Delete success")),
    _example("DELETE", D, "/orders/d/{orderId}", service=_HERE, path=f"{D}/orders/d/{UNKNOWN_ID}", wanted=_NONE),
)  # fmt: skip

_NOTICE = {
    "email": "someone@example.com",
    "orderNumber": "1",
    "username": "Ada",
    "startPlace": "a",
    "endPlace": "b",
    "startTime": "t",
    "date": "d",
    "seatClass": "2",
    "seatNumber": "3",
    "price": "4.0",
}


def _dropped(system: System, known: Any, answer: Any) -> None:
    """The consumer says what it could not read."""
    wait_for(lambda: any("json2Object][test]" in line["body"] for line in system.logs("ts-notification-service")), "it")


def _queued(system: System) -> dict[str, Any]:
    """A notice in the queue: nobody of the original puts one there, its consumer takes it all the same."""
    number = secrets.token_hex(8)
    publish(system, "email", json.dumps(_NOTICE | {"orderNumber": number}))
    return {"number": number}


def _kept_unsent(system: System, known: Any, answer: Any) -> None:
    """The notice is stored as not sent, because there is no mail server."""
    statement = "SELECT send_status, username FROM notify_info WHERE order_number = $1"
    (row,) = wait_for(lambda: system.sql(statement, known["number"]), "the notice")
    assert tuple(row) == (False, "Ada")


_NOTICES = (
    _example("GET", N, "/welcome", wanted="Welcome to [ Notification Service ] !"),
    _example("GET", N, "/test_send_mq", wanted=True, then=_dropped),
    _example("GET", N, "/test_send_mq", name="behind a notice", given=_queued, wanted=True, then=_kept_unsent),
    _example("GET", N, "/test_send_mail", wanted=True),
    *(
        example
        for name in ("preserve", "order_create", "order_changed", "order_cancel")
        for example in (
            _example("POST", N, f"/notification/{name}_success", body=_NOTICE, wanted=False),
            _example("POST", N, f"/notification/{name}_success", name="nothing to tell", body={}, wanted=False),
        )
    ),
)

_WAIT = "ts-wait-order-service"
_WISH = {"contactsId": "c", "tripId": "G1234", "seatType": 2, "date": "2035-01-01", "from": "a", "to": "b"}


def _account(system: System) -> dict[str, Any]:
    return {"account": secrets.token_hex(8)}


def _given_up(system: System, known: Any, answer: Any) -> None:
    """The worker gives up at once, and looks for the order under the account's id: so it stays as it was."""
    text = f"Order not found][OrderId: {known['account']}]"
    wait_for(lambda: any(text in line["body"] for line in system.logs(_WAIT)), "the worker")
    (row,) = system.sql("SELECT * FROM wait_list_order WHERE account_id = $1", known["account"])
    assert (row["status"], row["train_number"], row["travel_time"]) == (0, "G1234", "2035-01-01")


def _waiting(system: System) -> dict[str, Any]:
    """An account that waits for a ticket."""
    known = _account(system)
    body = _WISH | {"accountId": known["account"]}
    assert system.post(f"{W}/order", body, token="user", service=_WAIT).json()["status"] == 1
    return known


def _collected(system: System) -> dict[str, Any]:
    """No order but one that is over."""
    system.sql("DELETE FROM wait_list_order")
    known = _waiting(system)
    system.sql("UPDATE wait_list_order SET status = 2")
    return known


_WAITS = (
    _example("GET", W, "/welcome", service=_WAIT, token="user", wanted="Welcome to [ Wait Order Service ] !"),
    *(
        _example("GET", W, path, service=_WAIT, token="user", name="none", wanted=zero("No Content."),
                 given=lambda system: {"gone": system.sql("DELETE FROM wait_list_order")})
        for path in ("/orders", "/waitlistorders")
    ),
    _example("POST", W, "/order", service=_WAIT, token="user", body=_WISH | {"accountId": "{account}"},
             given=_account, wanted=one("Thread Start Success"), then=_given_up),
    _example("POST", W, "/order", service=_WAIT, token="user", name="again",
             body=_WISH | {"accountId": "{account}", "seatType": 3}, given=_waiting,
             wanted=zero("Order already exist")),
    _example("GET", W, "/orders", service=_WAIT, token="user", wanted=one("Success.", at_least(2))),
    _example("GET", W, "/waitlistorders", service=_WAIT, token="user", given=_waiting,
             wanted=one("Success.", lambda rows: rows != [] and {row["status"] for row in rows} == {0})),
    _example("GET", W, "/waitlistorders", service=_WAIT, token="user", name="all over", given=_collected,
             wanted=one("Success.", [])),
)  # fmt: skip

_VOUCHER = "ts-voucher-service"
_VOUCHERS = (
    _example("POST", "", "/getVoucher", service=_VOUCHER, given=order(contactsName="Vera"),
             body={"orderId": "{order}", "type": 1},
             wanted={"voucher_id": int, "order_id": "{order}", "contactName": "Vera", "train_number": "G1235",
                     "start_station": "nanjing", "dest_station": "shanghai", "price": 125.0, "seat_number": str,
                     "travelDate": str}),
    _example("POST", "", "/getVoucher", service=_VOUCHER, name="of the other line", given=order("K1345"),
             body={"orderId": "{order}", "type": 0}, wanted={"train_number": "K1345"}),
    _example("POST", "", "/getVoucher", service=_VOUCHER, name="no such order", status=500,
             body={"orderId": UNKNOWN_ID, "type": 1}),
)  # fmt: skip

EXAMPLES = (*_ORDERS, *_DELIVERIES, *_NOTICES, *_WAITS, *_VOUCHERS)
