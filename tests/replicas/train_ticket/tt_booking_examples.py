"""Examples for the two services that book a ticket: the same requests to both, each for its own line."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tt_examples import Example, one, zero
from tt_flow_steps import contact
from tt_system import UNKNOWN_ID, USER_ID, System

DAY = "2035-05-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Where one of the two services is, what it books, and what comes of it."""

    root: str
    path: str
    welcome: str
    table: str
    trip: str
    start: str
    end: str
    time: str
    second: str
    first: str


FAST = Words(
    root="/api/v1/preserveservice", path="/preserve", welcome="Welcome to [ Preserve Service ] !", table="orders",
    trip="D1345", start="shanghai", end="suzhou", time="2013-05-04 07:00:00", second="22.5", first="50.0",
)  # fmt: skip
OTHER = Words(
    root="/api/v1/preserveotherservice", path="/preserveOther", welcome="Welcome to [ PreserveOther Service ] !",
    table="orders_other", trip="Z1234", start="shanghai", end="nanjing", time="2013-05-04 09:51:52",
    second="122.49999999999999", first="350.0",
)  # fmt: skip


def wish(words: Words, **values: Any) -> dict[str, Any]:
    """A wish to book; {contact} is the one of `known`."""
    return {
        "accountId": USER_ID,
        "contactsId": "{contact}",
        "tripId": words.trip,
        "seatType": 3,
        "date": DAY,
        "from": words.start,
        "to": words.end,
        "assurance": 0,
        "foodType": 0,
        **values,
    }


EXTRAS = {
    "assurance": 1,
    "foodType": 2,
    "foodName": "Hamburger",
    "foodPrice": 5,
    "stationName": "shanghai",
    "storeName": "KFC",
    "handleDate": "2035-05-01",
    "consigneePhone": "1",
    "consigneeWeight": 3,
    "within": True,
}


def known(system: System) -> dict[str, Any]:
    """A contact of the user."""
    return {"contact": contact(system)}


def _stored(words: Words, day: str, **wanted: Any) -> Any:
    """The order of a day is stored as it should be."""

    def look(system: System, *_: Any) -> None:
        rows = system.sql(f"SELECT * FROM {words.table} WHERE travel_date = $1 AND train_number = $2", day, words.trip)
        order = dict(rows[-1])
        common = {
            "account_id": USER_ID, "contacts_name": "Contacts_One", "document_type": 1, "coach_number": 5,
            "contacts_document_number": "DocumentNumber_One", "from_station": words.start, "to_station": words.end,
            "status": 0, "travel_time": words.time,
        }  # fmt: skip
        assert {name: order[name] for name in (*common, *wanted)} == common | wanted
        assert order["seat_number"].isdecimal()

    return look


def _bookings(words: Words) -> Iterator[Example]:
    def book(name: str, wanted: Any, *, status: int = 200, then: Any = None, **values: Any) -> Example:
        return Example(
            endpoint=f"POST {words.root}{words.path}", name=name, body=wish(words, **values), token="user",
            given=known, wanted=wanted, status=status, then=then,
        )  # fmt: skip

    done = one("Success.", "Success")
    yield Example(endpoint=f"GET {words.root}/welcome", token="user", wanted=words.welcome)
    yield book("second class", done, then=_stored(words, DAY, seat_class=3, price=words.second))
    yield book(
        "first class",
        done,
        seatType=2,
        date="2035-05-02",
        then=_stored(words, "2035-05-02", seat_class=2, price=words.first),
    )
    yield book("all extras", done, consigneeName=f"for {words.trip}", then=_extras(words), **EXTRAS)
    yield book("food of the train", done, foodType=1, foodName="Soup", foodPrice="3.7")
    yield book("no such insurance", one("Success.But Buy Assurance Fail.", "Success"), assurance=7)
    yield book("unknown contact", zero("No contacts according to contacts id"), contactsId=UNKNOWN_ID)
    yield book("no contact", zero("No contacts according to contacts id"), contactsId=None)
    yield book("unknown trip", zero("Trip not found"), tripId=words.trip[0] + "9")
    yield book("past", zero("getTickets failed"), date="2020-01-01")
    yield book("wrong way", zero("getTickets failed"), **{"from": words.end, "to": words.start})
    yield book("of nobody", dict, accountId=UNKNOWN_ID, status=500, then=_kept(words))
    yield book("wrong type", dict, seatType="first", status=400)


def _extras(words: Words) -> Any:
    """Insurance, food and luggage are there, all for the same order; only the fast line's is the stored one."""

    def look(system: System, *_: Any) -> None:
        (luggage,) = system.sql("SELECT * FROM consign_record WHERE consignee = $1", f"for {words.trip}")
        order_id = luggage["order_id"]
        assert (luggage["weight"], luggage["consign_record_price"]) == (3.0, 12.0)
        assert luggage["target_date"] == DAY
        (food,) = system.sql("SELECT * FROM food_order WHERE order_id = $1", order_id)
        assert (food["food_type"], food["store_name"], food["price"]) == (2, "KFC", 5.0)
        assert system.sql("SELECT 1 FROM assurance WHERE order_id = $1", order_id)
        stored = system.sql(f"SELECT 1 FROM {words.table} WHERE id = $1", order_id)
        assert bool(stored) is (words is FAST)

    return look


def _kept(words: Words) -> Any:
    """The order of an unknown account stays, although the client sees an error."""

    def look(system: System, *_: Any) -> None:
        assert system.sql(f"DELETE FROM {words.table} WHERE account_id = $1 RETURNING id", UNKNOWN_ID)

    return look


EXAMPLES = (
    *_bookings(FAST),
    *_bookings(OTHER),
    Example(
        endpoint="POST /api/v1/preserveservice/preserve",
        name="insurance for an administrator",
        body=wish(FAST, assurance=1),
        given=known,
        token="admin",
        status=500,
    ),
)
