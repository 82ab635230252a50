"""Examples for the two order services: the same requests to both, with each one's own messages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tt_basic_examples import at_least
from tt_examples import Example, one, zero
from tt_system import UNKNOWN_ID, USER_ID, System

ACCOUNT = "33333333-2222-4333-8444-555555555555"
ORDER = {
    "accountId": ACCOUNT,
    "boughtDate": "2026-01-02 03:04:05",
    "travelDate": "2030-05-06 00:00:00",
    "travelTime": "2030-05-06 09:00:00",
    "contactsName": "Ada",
    "documentType": 1,
    "contactsDocumentNumber": "d",
    "coachNumber": 5,
    "seatClass": 2,
    "seatNumber": "17",
    "from": "nanjing",
    "to": "shanghai",
    "status": 0,
    "price": "22.5",
}
DEFAULTS = {
    "travelDate": "1970-01-02 18:17:36",
    "trainNumber": "G1235",
    "coachNumber": 5,
    "seatClass": 2,
    "seatNumber": "1",
    "from": "shanghai",
    "to": "taiyuan",
    "status": 1,
    "price": "0.0",
    "documentType": 0,
    "travelTime": None,
    "contactsName": None,
}
QUERY = {"loginId": ACCOUNT}
STATES = QUERY | {"enableStateQuery": True, "travelDateEnd": "2031-01-01", "boughtDateStart": "2020-01-01"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Where one of the two services is and what it says."""

    root: str
    train: str
    welcome: str
    token: str | None
    admin: str | None
    no_tickets: str
    refresh: str
    pay: str
    get: str
    modify: str
    security: str
    admin_update: str
    admin_none: str
    admin_add: str
    all: str
    same_id: bool


OWN = Words(
    root="/api/v1/orderservice/order", train="G9001", welcome="Welcome to [ Order Service ] !", token="user",
    admin="admin", no_tickets="Order is Null.", refresh="Query Orders For Refresh Success", pay="Pay Order Success.",
    get="Success.", modify="Modify Order Success", security="Check Security Success . ",
    admin_update="Admin Update Order Success", admin_none="Order Not Found, Can't update",
    admin_add="Add new Order Success", all="Success.", same_id=True,
)  # fmt: skip
OTHER = Words(
    root="/api/v1/orderOtherService/orderOther", train="Z9001", welcome="Welcome to [ Order Other Service ] !",
    token=None, admin=None, no_tickets="Seat is Null.", refresh="Success", pay="Success", get="Success",
    modify="Success", security="Success", admin_update="Success", admin_none="Order Not Found", admin_add="Success",
    all="Success", same_id=False,
)  # fmt: skip


def _creations(words: Words) -> Iterator[Example]:
    root, order = words.root, ORDER | {"trainNumber": words.train}

    def stored(system: System, known: Any, answer: Any) -> None:
        rows = system.post(f"{root}/query", QUERY).json()["data"]
        assert (answer.json()["data"]["id"] in [row["id"] for row in rows]) is words.same_id

    def defaults(system: System, known: Any, answer: Any) -> None:
        system.sql("DELETE FROM orders WHERE account_id = 'defaults'")
        system.sql("DELETE FROM orders_other WHERE account_id = 'defaults'")

    base = root.rpartition("/")[0]
    yield Example(endpoint=f"GET {base}/welcome", token="user", wanted=words.welcome)
    yield Example(
        endpoint=f"POST {root}",
        body=order | {"id": UNKNOWN_ID},
        token=words.token,
        wanted=one("Success", order | {"id": lambda key: key != UNKNOWN_ID}),
        then=stored,
    )
    yield Example(
        endpoint=f"POST {root}",
        name="again",
        body=order,
        token=words.token,
        wanted=zero("Order already exist", lambda data: (data is None) is words.same_id),
    )
    yield Example(
        endpoint=f"POST {root}",
        name="defaults",
        body={"accountId": "defaults"},
        token=words.token,
        wanted=one("Success", DEFAULTS),
        then=defaults,
    )
    yield Example(
        endpoint=f"POST {root}/admin",
        body=order | {"seatNumber": "18", "seatClass": 3, "status": 1},
        token=words.admin,
        wanted=one(words.admin_add, {"seatNumber": "18"}),
    )
    yield Example(
        endpoint=f"POST {root}/admin",
        name="again",
        body=order | {"seatNumber": "18", "seatClass": 3, "status": 1},
        token=words.admin,
        wanted=zero("Order already exist"),
    )


def _queries(words: Words) -> Iterator[Example]:
    root = words.root
    seat = {"travelDate": ORDER["travelDate"], "trainNumber": words.train}
    sold = [{"seatNo": number, "startStation": "nanjing", "destStation": "shanghai"} for number in (17, 18)]
    for name, msg in (("query", "Get order num"), ("refresh", words.refresh)):
        path = f"POST {root}/{name}"
        yield Example(endpoint=path, body=QUERY, wanted=one(msg, [{"seatNumber": "17"}, {"seatNumber": "18"}]))
        full = STATES | {"state": 1, "boughtDateEnd": "2027-01-01"}
        yield Example(endpoint=path, name="by state", body=full, wanted=one(msg, [{"seatNumber": "18"}]))
        dates = full | {"enableStateQuery": False, "enableTravelDateQuery": True, "enableBoughtDateQuery": True}
        yield Example(endpoint=path, name="by dates", body=dates, wanted=one(msg, at_least(2)))
        late = dates | {"travelDateEnd": "2030-01-01"}
        yield Example(endpoint=path, name="travel too late", body=late, wanted=one(msg, []))
        yield Example(endpoint=path, name="date missing", body=STATES, status=500)
        yield Example(endpoint=path, name="nobody", body=STATES | {"loginId": "x"}, wanted=one(msg, []))
    yield Example(endpoint=f"POST {root}/tickets", body=seat, wanted=one("Success", {"soldTickets": sold}))
    yield Example(endpoint=f"POST {root}/tickets", name="none", body={}, wanted=zero(words.no_tickets))
    yield Example(endpoint=f"POST {root}/tickets", name="no date", body={"travelDate": None}, status=500)
    seeded = {"travelDate": "2022-10-01 00:00:00", "trainNumber": "K1235" if not words.same_id else "G1237"}
    yield Example(endpoint=f"POST {root}/tickets", name="seat no number", body=seeded, status=500)
    counts = {"trainNumber": words.train, "firstClassSeat": 1, "secondClassSeat": 1, "hardSeat": 0}
    yield Example(
        endpoint=f"GET {root}/{{travelDate}}/{{trainNumber}}",
        path=f"{root}/2030-05-06/{words.train}",
        wanted=one("Success", counts | {"travelDate": "2030-05-05T16:00:00.000+00:00"}),
    )
    yield Example(
        endpoint=f"GET {root}/{{travelDate}}/{{trainNumber}}",
        path=f"{root}/someday/{words.train}",
        wanted=one("Success", {"travelDate": "1970-01-01T00:00:00.000+00:00", "firstClassSeat": 0}),
    )
    yield Example(
        endpoint=f"GET {root}/security/{{checkDate}}/{{accountId}}",
        path=f"{root}/security/Sun%20Nov%2022%2010:00:00%20CST%202026/{ACCOUNT}",
        wanted=one(words.security, {"orderNumInLastOneHour": 2, "orderNumOfValidOrder": 2}),
    )
    yield Example(
        endpoint=f"GET {root}/security/{{checkDate}}/{{accountId}}",
        path=f"{root}/security/2026-11-22/{ACCOUNT}",
        wanted=one(words.security, {"orderNumInLastOneHour": 0, "orderNumOfValidOrder": 2}),
    )
    yield Example(endpoint=f"GET {root}", wanted=one(words.all, at_least(2)))


def _changes(words: Words) -> Iterator[Example]:
    root = words.root

    def mine(system: System) -> dict[str, Any]:
        rows = system.post(f"{root}/query", QUERY).json()["data"]
        return {"id": rows[0]["id"]}

    none = zero("Order Not Found")
    reads = {
        "price/{orderId}": (one("Success", "22.5"), zero("Order Not Found", "-1.0")),
        "orderPay/{orderId}": (one(words.pay, {"id": "{id}", "status": 1}), none),
        "{orderId}": (one(words.get, ORDER | {"id": "{id}", "trainNumber": words.train, "status": 1}), none),
    }
    for path, (there, absent) in reads.items():
        endpoint = f"GET {root}/{path}"
        yield Example(endpoint=endpoint, path=f"{root}/{path.replace('orderId', 'id')}", given=mine, wanted=there)
        yield Example(endpoint=endpoint, path=f"{root}/{path.replace('{orderId}', 'x')}", wanted=absent)
    status = f"GET {root}/status/{{orderId}}/{{status}}"
    changed = one(words.modify, {"id": "{id}", "status": 6})
    yield Example(endpoint=status, path=f"{root}/status/{{id}}/6", given=mine, wanted=changed)
    yield Example(endpoint=status, path=f"{root}/status/x/6", wanted=none)
    yield Example(endpoint=status, path=f"{root}/status/x/six", status=400)
    yield Example(endpoint=status, path=f"{root}/status/x/3000000000", status=400)
    body = ORDER | {"id": "{id}", "trainNumber": words.train, "price": "30.0"}
    for path, token, msg, none_msg in (
        ("", words.token, "Success", "Order Not Found"),
        ("/admin", words.admin, words.admin_update, words.admin_none),
    ):
        put = f"PUT {root}{path}"
        yield Example(endpoint=put, body=body, token=token, given=mine, wanted=one(msg, body))
        yield Example(endpoint=put, name="unknown", body={"id": UNKNOWN_ID}, token=token, wanted=zero(none_msg))
        yield Example(endpoint=put, name="without id", body={}, token=token, status=500)
    delete = f"DELETE {root}/{{orderId}}"
    gone = one("Delete Order Success", {"id": "{id}"}) if words.same_id else one("Success", "{id}")
    for name in ("first", "second"):
        yield Example(endpoint=delete, name=name, path=f"{root}/{{id}}", given=mine, wanted=gone)
    yield Example(endpoint=delete, path=f"{root}/{UNKNOWN_ID}", wanted=zero("Order Not Exist."))
    yield Example(endpoint=delete, path=f"{root}/x", status=500)


def _seeded() -> Iterator[Example]:
    yield Example(
        endpoint=f"POST {OWN.root}/refresh",
        name="seeded",
        body={"loginId": USER_ID},
        wanted=one(OWN.refresh, lambda rows: [row["trainNumber"] for row in rows[:3]] == ["G1237", "G1234", "G1235"]),
    )
    yield Example(
        endpoint=f"POST {OTHER.root}/refresh",
        name="seeded",
        body={"loginId": USER_ID},
        wanted=one(OTHER.refresh, lambda rows: rows[0]["trainNumber"] == "K1235" and rows[0]["price"] == "100"),
    )


EXAMPLES = (
    *_seeded(),
    *(example for words in (OWN, OTHER) for part in (_creations, _queries, _changes) for example in part(words)),
)
