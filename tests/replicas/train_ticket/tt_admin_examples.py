"""Examples for the administrators' services; what they create is deleted again."""

from collections.abc import Iterator
from typing import Any

from tt_basic_examples import at_least
from tt_examples import Example, one, zero
from tt_order_examples import ORDER
from tt_system import UNKNOWN_ID, System

B = "/api/v1/adminbasicservice"
O = "/api/v1/adminorderservice"  # noqa: E741 - orders
R = "/api/v1/adminrouteservice"
T = "/api/v1/admintravelservice"
U = "/api/v1/adminuserservice/users"
ACCOUNT = "44444444-2222-4333-8444-555555555555"


def _row(path: str, key: str, **wanted: Any) -> Any:
    def given(system: System) -> dict[str, Any]:
        rows = system.data(path, token="admin")
        return {"id": next(row for row in rows if all(row[name] == value for name, value in wanted.items()))[key]}

    return given


def _basic() -> Iterator[Example]:
    contact = {"accountId": ACCOUNT, "name": "Bob", "documentType": 1, "documentNumber": "1", "phoneNumber": "2"}
    train = {"name": "Tram", "economyClass": 1, "confortClass": 2, "averageSpeed": 30}
    config = {"name": "admins", "value": "1", "description": "d"}
    price = {"trainType": "Tram", "routeId": "r", "basicPriceRate": 1.0, "firstClassPriceRate": 2.0}
    station = {"name": "tram stop", "stayTime": 1}
    stored = station | {"name": "tramstop"}
    yield Example(endpoint=f"GET {B}/welcome", token="admin", wanted="Welcome to [ AdminBasicInfo Service ] !")
    yield Example(endpoint=f"GET {B}/adminbasic/contacts", token="user", wanted=one("Success", at_least(2)))
    yield Example(endpoint=f"GET {B}/adminbasic/contacts", name="without a token", status=500)
    for name, msg, count in (
        ("stations", "Find all content", 13),
        ("trains", "success", 6),
        ("configs", "Find all  config success", 1),
        ("prices", "Success", 10),
    ):
        yield Example(endpoint=f"GET {B}/adminbasic/{name}", wanted=one(msg, at_least(count)))
    creations = (
        ("contacts", contact, one("Create Success")),
        ("stations", station, one("Create success", stored)),
        ("trains", train, one("create success")),
        ("configs", config, one("Create success", config)),
        ("prices", price, one("Create success", price)),
    )
    for name, body, wanted in creations:
        yield Example(endpoint=f"POST {B}/adminbasic/{name}", body=body, token="admin", wanted=wanted)
    yield Example(
        endpoint=f"POST {B}/adminbasic/contacts", name="account no UUID", body={"accountId": "x"}, token="admin",
        status=400,
    )  # fmt: skip
    changes = (
        ("contacts", "id", {"name": "Bob"}, contact, one("Modify success", contact), one("Delete success", "{id}")),
        ("stations", "id", stored, station, one("Update success", stored), one("Delete success", stored)),
        ("trains", "id", {"name": "Tram"}, train, one("update success", True), one("delete success", True)),
        ("configs", "name", config, config, one("Update success", config), one("Delete success", config)),
        ("prices", "id", {"trainType": "Tram"}, price, one("Update success", price), one("Delete success", price)),
    )
    variables = {"contacts": "contactsId", "stations": "id", "trains": "id", "configs": "name", "prices": "pricesId"}
    for name, key, known, body, changed, gone in changes:
        given = _row(f"{B}/adminbasic/{name}", key, **known)
        yield Example(
            endpoint=f"PUT {B}/adminbasic/{name}",
            body={"id": "{id}"} | body,
            token="admin",
            given=given,
            wanted=changed,
        )
        yield Example(
            endpoint=f"DELETE {B}/adminbasic/{name}/{{{variables[name]}}}",
            path=f"{B}/adminbasic/{name}/{{id}}",
            token="admin",
            given=given,
            wanted=gone,
        )


def _orders() -> Iterator[Example]:
    yield Example(endpoint=f"GET {O}/welcome", token="admin", wanted="Welcome to [Admin Order Service] !")
    for train, added, updated, gone in (
        ("D9002", "Add new Order Success", "Admin Update Order Success", "Delete Order Success"),
        ("K9002", "Success", "Success", "Success"),
    ):
        order = ORDER | {"trainNumber": train, "accountId": ACCOUNT}
        given = _row(f"{O}/adminorder", "id", trainNumber=train)
        yield Example(endpoint=f"POST {O}/adminorder", name=train, body=order, token="admin", wanted=one(added, order))
        yield Example(
            endpoint=f"GET {O}/adminorder",
            name=train,
            token="admin",
            wanted=one(
                "Get the orders successfully!",
                lambda rows, train=train: next(
                    row["differenceMoney"] == "0.0" for row in rows if row["trainNumber"] == train
                ),
            ),
        )
        yield Example(
            endpoint=f"PUT {O}/adminorder",
            name=train,
            body=order | {"id": "{id}", "price": "7.0"},
            token="admin",
            given=given,
            wanted=one(updated, {"price": "7.0"}),
        )
        yield Example(
            endpoint=f"DELETE {O}/adminorder/{{orderId}}/{{trainNumber}}",
            path=f"{O}/adminorder/{{id}}/{train}",
            token="admin",
            given=given,
            wanted={"status": 1, "msg": gone},
        )


def _routes() -> Iterator[Example]:
    info = {"id": UNKNOWN_ID, "startStation": "wuxi", "endStation": "suzhou", "distanceList": "0,9"}
    info["stationList"] = "wuxi,suzhou"
    yield Example(endpoint=f"GET {R}/welcome", token="admin", wanted="Welcome to [ AdminRoute Service ] !")
    yield Example(endpoint=f"GET {R}/adminroute", token="admin", wanted=one("Success", at_least(10)))
    yield Example(
        endpoint=f"POST {R}/adminroute",
        body=info,
        token="admin",
        wanted=one("Save and Modify success", {"id": UNKNOWN_ID, "stations": ["wuxi", "suzhou"]}),
    )
    yield Example(
        endpoint=f"POST {R}/adminroute",
        name="end not on it",
        body=info | {"endStation": "beijing"},
        token="admin",
        wanted=zero("start or end station not include in stationList."),
    )
    yield Example(
        endpoint=f"POST {R}/adminroute",
        name="unknown station",
        body=info | {"stationList": "wuxi,nowhere,suzhou", "distanceList": "0,1,2"},
        token="admin",
        wanted=zero("some station not exists", ["nowhere"]),
    )
    yield Example(
        endpoint=f"DELETE {R}/adminroute/{{routeId}}",
        path=f"{R}/adminroute/{UNKNOWN_ID}",
        token="admin",
        wanted=one("Delete Success", UNKNOWN_ID),
    )


def _travels() -> Iterator[Example]:
    info = {
        "tripId": "G9100",
        "trainTypeName": "GaoTieOne",
        "routeId": "92708982-77af-4318-be25-57ccb0ff69ad",
        "startStationName": "nanjing",
        "stationsName": "suzhou",
        "terminalStationName": "shanghai",
        "startTime": "2013-05-04 09:00:00",
        "endTime": "2013-05-04 15:51:52",
    }
    refusals = (
        ({"startStationName": "nowhere"}, zero("some station not exists", ["nowhere"])),
        ({"trainTypeName": "none"}, zero("Train type doesn't exist")),
        ({"routeId": "none"}, zero("Route doesn't exist")),
        ({"startStationName": "beijing"}, zero("Station not correct in Route")),
    )
    yield Example(endpoint=f"GET {T}/welcome", token="admin", wanted="Welcome to [ AdminTravel Service ] !")
    yield Example(
        endpoint=f"GET {T}/admintravel",
        token="admin",
        wanted=one("Travel Service Admin Query All Travel Success", at_least(10)),
    )
    for trip, created in (("G9100", "Update trip:G9100"), ("Z9100", "Update trip info:Z9100")):
        body = info | {"tripId": trip}
        yield Example(
            endpoint=f"POST {T}/admintravel", name=trip, body=body, token="admin", wanted=one("[Admin add new travel]")
        )
        yield Example(
            endpoint=f"PUT {T}/admintravel",
            name=trip,
            body=body | {"startTime": "2013-05-04 10:00:00"},
            token="admin",
            wanted=one(created, {"startTime": "2013-05-04 10:00:00"}),
        )
        yield Example(
            endpoint=f"DELETE {T}/admintravel/{{tripId}}",
            path=f"{T}/admintravel/{trip}",
            token="admin",
            wanted=one(f"Delete trip:{trip}.", trip),
        )
    yield Example(
        endpoint=f"DELETE {T}/admintravel/{{tripId}}",
        path=f"{T}/admintravel/G9999",
        token="admin",
        wanted=zero("Admin delete travel failed"),
    )
    for change, wanted in refusals:
        for verb in ("POST", "PUT"):
            yield Example(
                endpoint=f"{verb} {T}/admintravel",
                name=wanted["msg"],
                body=info | change,
                token="admin",
                wanted=wanted,
            )


def _users() -> Iterator[Example]:
    user = {"userId": ACCOUNT, "userName": "admins_user", "password": "p", "gender": 1, "documentType": 1}
    yield Example(endpoint=f"GET {U}/welcome", token="admin", wanted="Welcome to [ AdminUser Service ] !")
    yield Example(endpoint=f"POST {U}", body=user, token="admin", wanted=one("REGISTER USER SUCCESS", user))
    yield Example(endpoint=f"POST {U}", name="twice", body=user, token="admin", wanted=zero("Add user error"))
    yield Example(endpoint=f"GET {U}", token="admin", wanted=one("Success", at_least(2)))
    yield Example(
        endpoint=f"PUT {U}", body=user | {"gender": 2}, token="admin", wanted=one("SAVE USER SUCCESS", {"gender": 2})
    )
    yield Example(
        endpoint=f"PUT {U}", name="unknown", body={"userId": "x"}, token="admin", wanted=zero("Update user error")
    )
    delete = f"DELETE {U}/{{userId}}"
    yield Example(endpoint=delete, path=f"{U}/{ACCOUNT}", token="admin", wanted=one("DELETE SUCCESS"))
    yield Example(endpoint=delete, name="gone", path=f"{U}/{ACCOUNT}", token="admin", wanted=zero("delete user error"))


EXAMPLES = (*_basic(), *_orders(), *_routes(), *_travels(), *_users())
