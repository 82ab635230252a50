"""Examples for what follows a booking: payment, cancellation, change, use of a ticket, and luggage."""

import secrets
from typing import Any

from tt_basic_examples import at_least
from tt_examples import Example, one, zero
from tt_flow_steps import day, new_order, order, status_is
from tt_system import UNKNOWN_ID, USER_ID, System

I, P = "/api/v1/inside_pay_service", "/api/v1/paymentservice"  # noqa: E741
C, E, R = "/api/v1/cancelservice", "/api/v1/executeservice", "/api/v1/rebookservice"
L = "/api/v1/consignservice"


def _example(verb: str, root: str, path: str, /, **more: Any) -> Example:
    return Example(endpoint=f"{verb} {root}{path}", **{"token": "user", **more})


def _account(*money: str, **values: Any) -> Any:
    """A new account with some money, as {account}, and an order of it, as {order}."""

    def open_it(system: System) -> dict[str, Any]:
        account = secrets.token_hex(8)
        for each in money:
            system.get(f"{I}/inside_payment/{account}/{each}", token="user")
        return {"account": account, "order": new_order(system, **values)}

    return open_it


def _paid_outside(system: System) -> dict[str, Any]:
    """An order that was paid outside, although its state does not tell."""
    known = _account()(system)
    body = {"orderId": known["order"], "userId": known["account"], "price": "1"}
    assert system.post(f"{P}/payment", body, token="user").json()["status"] == 1
    return known


def _kind(kind: str) -> Any:
    """The payment is stored as of this type, and the order is paid."""

    def look(system: System, known: Any, answer: Any) -> None:
        rows = system.sql("SELECT type, price FROM inside_payment WHERE order_id = $1", known["order"])
        assert [tuple(row) for row in rows] == [(kind, "125.0")]
        status_is(1)(system, known, answer)

    return look


_PAY = {"userId": "{account}", "orderId": "{order}", "tripId": "G1235", "price": "1"}
_INSIDE = (
    _example("GET", I, "/welcome", wanted="Welcome to [ InsidePayment Service ] !"),
    _example("POST", I, "/inside_payment", name="from the balance", body=_PAY, given=_account("100", "25"),
             wanted=one("Payment Success"), then=_kind("P")),
    _example("POST", I, "/inside_payment", name="the balance is short", body=_PAY, given=_account("124.9"),
             wanted=one("Payment Success Pay Success"), then=_kind("O")),
    _example("POST", I, "/inside_payment", name="without a user", given=_account(),
             body={"orderId": "{order}", "tripId": "G1235"}, wanted=one("Payment Success Pay Success"),
             then=_kind("O")),
    _example("POST", I, "/inside_payment", name="paid outside already", body=_PAY, given=_paid_outside,
             wanted=zero("Payment Failed:  Pay Failed, order not found with order id{order}"), then=status_is(0)),
    _example("POST", I, "/inside_payment", name="other line", given=order("K1345"),
             body={"orderId": "{order}", "tripId": "K1345", "userId": USER_ID}, wanted=one("Payment Success"),
             then=status_is(1, "K1345")),
    _example("POST", I, "/inside_payment", name="paid", body=_PAY, given=_account(status=1),
             wanted=zero("Error. Order status Not allowed to Pay.")),
    _example("POST", I, "/inside_payment", name="no such order", body={"orderId": UNKNOWN_ID, "tripId": "G1"},
             wanted=zero("Payment Failed, Order Not Exists")),
    _example("POST", I, "/inside_payment", name="no trip", body={"orderId": UNKNOWN_ID}, status=500),
    _example("POST", I, "/inside_payment/account", body={"userId": "account of an example", "money": "5"},
             wanted=one("Create Account Success")),
    _example("POST", I, "/inside_payment/account", name="again",
             body={"userId": "account of an example", "money": "5"},
             wanted=zero("Create Account Failed, Account already Exists")),
    _example("GET", I, "/inside_payment/{userId}/{money}", path=f"{I}/inside_payment/account of an example/1.50",
             wanted=one("Add Money Success")),
    _example("GET", I, "/inside_payment/drawback/{userId}/{money}",
             path=f"{I}/inside_payment/drawback/account of an example/2", wanted=one("Draw Back Money Success")),
    _example("GET", I, "/inside_payment/account",
             wanted=one("Success", lambda rows: {"userId": "account of an example", "balance": "8.50"} in rows)),
    _example("GET", I, "/inside_payment/payment", wanted=one("Query Payment Success", at_least(3))),
    _example("POST", I, "/inside_payment/difference",
             body={"userId": "nobody", "orderId": "x", "tripId": "y", "price": "99999999"},
             wanted=one("Pay Difference Success")),
    _example("POST", I, "/inside_payment/difference", name="no number", body={"userId": "nobody", "price": "x"},
             status=500),
    _example("GET", I, "/inside_payment/money", wanted=one("Query Money Success")),
    _example("GET", P, "/welcome", wanted="Welcome to [ Payment Service ] !"),
    _example("POST", P, "/payment", body={"orderId": "an example", "userId": "u", "price": "1.0"},
             wanted=one("Pay Success")),
    _example("POST", P, "/payment", name="again", body={"orderId": "an example"},
             wanted=zero("Pay Failed, order not found with order idan example")),
    _example("POST", P, "/payment/money", body={"userId": "u", "price": 7},
             wanted=one("Add Money Success", {"id": str, "userId": "u", "money": "7"})),
    _example("GET", P, "/payment",
             wanted=one("Query Success", lambda rows: rows[0]["orderId"] == "5ad7750b-a68b-49c0-a8c0-32776b067701"
                        and rows[0]["price"] == "10000.0")),
)  # fmt: skip


def _given_back(money: str, train: str = "G1235") -> Any:
    """The order is cancelled and the account {account} got this much."""

    def look(system: System, known: Any, answer: Any) -> None:
        status_is(4, train)(system, known, answer)
        rows = system.sql("SELECT money, type FROM inside_money WHERE user_id = $1", known["account"])
        assert [tuple(row) for row in rows] == [(money, "D")]

    return look


_CANCEL = "/cancel/{orderId}/{loginId}"
_ASK = f"{C}/cancel/{{order}}/{{account}}"
_REFUND = "/cancel/refound/{orderId}"
_CANCELS = (
    _example("GET", C, "/welcome", wanted="Welcome to [ Cancel Service ] !"),
    _example("GET", C, _CANCEL, path=_ASK, given=_account(status=1), wanted=one("Success.", "test not null"),
             then=_given_back("100.00")),
    _example("GET", C, _CANCEL, path=_ASK, name="not paid, yet money comes back", given=_account(price="0.7"),
             wanted=one("Success.", "test not null"), then=_given_back("0.56")),
    _example("GET", C, _CANCEL, path=_ASK, name="other line", given=_account(train="Z1236", status=3),
             wanted=one("Success."), then=_given_back("100.00", "Z1236")),
    _example("GET", C, _CANCEL, path=_ASK, name="collected", given=_account(status=2),
             wanted=zero("Order Status Cancel Not Permitted")),
    _example("GET", C, _CANCEL, path=_ASK, name="other line, used", given=_account(train="Z1236", status=6),
             wanted=zero("Order Status Cancel Not Permitted")),
    _example("GET", C, _CANCEL, path=_ASK, name="of nobody", given=_account(accountId=UNKNOWN_ID),
             wanted=zero("Cann't find userinfo by user id."), then=_given_back("100.00")),
    _example("GET", C, _CANCEL, path=_ASK, name="price no number", given=_account(price="x"), wanted=one("error"),
             then=status_is(4)),
    _example("GET", C, _CANCEL, path=f"{C}/cancel/{UNKNOWN_ID}/x", wanted=zero("Order Not Found.")),
    *(
        _example("GET", C, _REFUND, path=f"{C}/cancel/refound/{{order}}", name=name, given=order(train, status=status),
                 wanted=wanted)
        for name, train, status, wanted in (
            ("not paid", "G1235", 0, one("Success. Refoud 0", "0")),
            ("paid", "G1235", 1, one("Success. ", "100.00")),
            ("collected", "G1235", 2, zero("Order Status Cancel Not Permitted, Refound error")),
            ("other line, not paid", "T1235", 0, one("Success, Refound 0", "0")),
            ("other line, paid", "T1235", 1, one("Success", "100.00")),
            ("other line, used", "T1235", 6, zero("Order Status Cancel Not Permitted")),
        )
    ),
    _example("GET", C, _REFUND, path=f"{C}/cancel/refound/{UNKNOWN_ID}", wanted=zero("Order Not Found")),
)  # fmt: skip

_EXECUTE, _COLLECT = "/execute/execute/{orderId}", "/execute/collected/{orderId}"
_EXECUTIONS = (
    _example("GET", E, "/welcome", wanted="Welcome to [ Execute Service ] !"),
    *(
        _example("GET", E, path, path=f"{E}{path.replace('{orderId}', '{order}')}", name=f"{train} in {before}",
                 given=order(train, status=before), wanted=wanted, then=status_is(after, train))
        for path, train, before, wanted, after in (
            (_COLLECT, "G1235", 1, one("Success"), 2),
            (_COLLECT, "G1235", 3, one("Success"), 2),
            (_COLLECT, "G1235", 0, zero("Order Status Wrong"), 0),
            (_COLLECT, "K1345", 1, one("Success."), 2),
            (_COLLECT, "K1345", 4, zero("Order Status Wrong"), 4),
            (_EXECUTE, "G1235", 2, one("Success."), 6),
            (_EXECUTE, "G1235", 1, zero("Order Status Wrong"), 1),
            (_EXECUTE, "K1345", 2, one("Success"), 6),
            (_EXECUTE, "K1345", 1, zero("Order Status Wrong"), 1),
        )
    ),
    _example("GET", E, _COLLECT, path=f"{E}/execute/collected/{UNKNOWN_ID}", wanted=zero("Order Not Found")),
    _example("GET", E, _EXECUTE, path=f"{E}/execute/execute/{UNKNOWN_ID}", wanted=zero("Order Not Found")),
)  # fmt: skip

_CHANGE = {"loginId": USER_ID, "orderId": "{order}", "oldTripId": "G1235", "tripId": "G1234", "seatType": 3}
_NEXT = _CHANGE | {"date": day(2)}
_REBOOKED = {
    "trainNumber": "G1234",
    "travelDate": day(2),
    "travelTime": "2013-05-04 09:00:00",
    "status": 3,
    "seatClass": 3,
    "price": "95.0",
    "differenceMoney": "0.0",
}
_SLOW = {"loginId": USER_ID, "orderId": "{order}", "seatType": 3, "date": day(2)}
_TO_OTHER = _SLOW | {"oldTripId": "G1235", "tripId": "Z1236"}
_ON_OTHER = _SLOW | {"oldTripId": "Z1236", "tripId": "Z1236"}
_LATE = "You can only change the ticket before the train start or within 2 hours after the train start."


def _money_back(money: str) -> Any:
    def look(system: System, known: Any, answer: Any) -> None:
        status_is(3, train_number="G1234", price="95.0")(system, known, answer)
        assert system.sql("SELECT 1 FROM inside_money WHERE user_id = $1 AND money = $2", USER_ID, money)

    return look


_REBOOKS = (
    _example("GET", R, "/welcome", wanted="Welcome to [ Rebook Service ] !"),
    _example("POST", R, "/rebook", name="cheaper", body=_NEXT, given=order(status=1),
             wanted=one("Success!", _REBOOKED), then=_money_back("30.0")),
    _example("POST", R, "/rebook", name="of the same price", given=order(status=1, price="250.0"),
             body=_NEXT | {"seatType": 2}, wanted=one("Success!", {"seatClass": 2, "price": "250.0"}),
             then=status_is(3, seat_class=2)),
    _example("POST", R, "/rebook", name="dearer", body=_NEXT | {"tripId": "G1236"}, given=order(status=1),
             wanted={"status": 2, "msg": "Please pay the different money!",
                     "data": {"differenceMoney": "50.0", "id": None, "trainNumber": "G1235", "seatNumber": "5A"}},
             then=status_is(1)),
    _example("POST", R, "/rebook", name="on the other line", body=_ON_OTHER,
             given=order("Z1236", status=1, price="112.0"), wanted=one("Success!", {"trainNumber": "Z1236"}),
             then=status_is(3, "Z1236")),
    _example("POST", R, "/rebook", name="to the other line", body=_TO_OTHER, given=order(status=1), status=500,
             then=status_is(1)),
    _example("POST", R, "/rebook", name="unknown order", body=_CHANGE | {"orderId": UNKNOWN_ID},
             wanted=zero("order not found")),
    _example("POST", R, "/rebook", name="not paid", body=_NEXT, given=order(),
             wanted=zero("you order not suitable to rebook!")),
    _example("POST", R, "/rebook", name="left yesterday", body=_NEXT, given=order(status=1, travelDate=day(-1)),
             wanted=zero(_LATE)),
    _example("POST", R, "/rebook", name="unknown trip", body=_NEXT | {"tripId": "G9"}, given=order(status=1),
             wanted=zero("Trip not found")),
    _example("POST", R, "/rebook", name="to a day that is over", body=_NEXT | {"date": day(-1)},
             given=order(status=1), wanted=zero("getTickets failed")),
    _example("POST", R, "/rebook/difference", body=_NEXT | {"tripId": "G1236"}, given=order(status=1),
             wanted=one("Success!", {"trainNumber": "G1236", "price": "175.0", "status": 3}),
             then=status_is(3, train_number="G1236")),
    _example("POST", R, "/rebook/difference", name="unknown order", body=_CHANGE | {"orderId": UNKNOWN_ID},
             wanted=zero("Order Not Found")),
    _example("POST", R, "/rebook/difference", name="unknown trip", body=_NEXT | {"tripId": "G9"},
             given=order(status=1), status=500),
)  # fmt: skip

_ORDER_ID, _ACCOUNT_ID = "77777777-1111-4111-8111-111111111111", "77777777-2222-4222-8222-222222222222"
_LUGGAGE = {
    "orderId": _ORDER_ID,
    "accountId": _ACCOUNT_ID,
    "handleDate": "2026-01-01",
    "targetDate": "2026-01-02",
    "from": "shanghai",
    "to": "suzhou",
    "consignee": "Grace",
    "phone": "123",
    "weight": "32",
    "isWithin": True,
}
_RECORD = {key: value for key, value in _LUGGAGE.items() if key != "isWithin"} | {"weight": 32.0, "price": 132.0}


def _record_id(system: System) -> dict[str, Any]:
    return {"record": system.data(f"{L}/consigns/order/{_ORDER_ID}", token="user")["id"]}


_CONSIGNS = (
    _example("GET", L, "/welcome", wanted="Welcome to [ Consign Service ] !"),
    _example("POST", L, "/consigns", body=_LUGGAGE,
             wanted=one("You have consigned successfully! The price is 132.0", _RECORD | {"id": str})),
    _example("POST", L, "/consigns", name="no order", body={"accountId": "x"}, status=500),
    _example("GET", L, "/consigns/order/{id}", path=f"{L}/consigns/order/{_ORDER_ID}",
             wanted=one("Find consign by order id success", _RECORD)),
    _example("GET", L, "/consigns/order/{id}", path=f"{L}/consigns/order/{UNKNOWN_ID}",
             wanted=zero("No Content according to order id")),
    _example("GET", L, "/consigns/order/{id}", path=f"{L}/consigns/order/x", status=500),
    _example("PUT", L, "/consigns", name="the same weight", given=_record_id,
             body=_LUGGAGE | {"id": "{record}", "consignee": "Ada"},
             wanted=one("Update consign success", _RECORD | {"consignee": "Ada"})),
    _example("PUT", L, "/consigns", name="another weight", given=_record_id,
             body=_LUGGAGE | {"id": "{record}", "consignee": "Ada", "weight": 3, "within": True},
             wanted=one("Update consign success", {"weight": 3.0, "price": 12.0})),
    _example("PUT", L, "/consigns", name="unknown id", body=_LUGGAGE | {"id": "", "orderId": UNKNOWN_ID, "weight": 1},
             wanted=one("You have consigned successfully! The price is 8.0", {"id": str}),
             then=lambda system, *_: system.sql("DELETE FROM consign_record WHERE order_id = $1", UNKNOWN_ID)),
    _example("PUT", L, "/consigns", name="no id", body=_LUGGAGE, status=500),
    _example("GET", L, "/consigns/account/{id}", path=f"{L}/consigns/account/{_ACCOUNT_ID}",
             wanted=one("Find consign by account id success", [{"orderId": _ORDER_ID}])),
    _example("GET", L, "/consigns/account/{id}", path=f"{L}/consigns/account/{UNKNOWN_ID}",
             wanted=zero("No Content according to accountId")),
    _example("GET", L, "/consigns/{consignee}", path=f"{L}/consigns/Ada",
             wanted=one("Find consign by consignee success", [{"price": 12.0}])),
    _example("GET", L, "/consigns/{consignee}", path=f"{L}/consigns/Nobody",
             wanted=zero("No Content according to consignee")),
)  # fmt: skip

EXAMPLES = (*_INSIDE, *_CANCELS, *_EXECUTIONS, *_REBOOKS, *_CONSIGNS)
