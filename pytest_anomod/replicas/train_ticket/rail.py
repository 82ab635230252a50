"""What many services know of trains and orders: states, classes of seats, and which of the two lines has a train.

G and D trains belong to the fast line (travel and order services), Z, T and K trains to the other one (travel2 and
order-other); each line has its own peers and paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NOT_PAID, PAID, COLLECTED, CHANGED, CANCELLED, REFUNDED, USED = range(7)
"""The states of an order."""

FIRST_CLASS, SECOND_CLASS = 2, 3
"""The two classes of seats that are sold; any number but the first counts as second class."""

TRAIN_LETTERS = "GDZTK"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The services of one line: `order` and `trips` are the paths below which they have their operations."""

    orders: str
    order: str
    travel: str
    trips: str


FAST = Line(
    orders="ts-order-service",
    order="/api/v1/orderservice/order",
    travel="ts-travel-service",
    trips="/api/v1/travelservice",
)
OTHER = Line(
    orders="ts-order-other-service",
    order="/api/v1/orderOtherService/orderOther",
    travel="ts-travel2-service",
    trips="/api/v1/travel2service",
)


def is_fast(number: str) -> bool:
    """Whether a train's number, such as G1234, is one of the fast line; AttributeError for None."""
    return number.startswith(("G", "D"))


def line_of(number: str) -> Line:
    """The line of a train by its number."""
    return FAST if is_fast(number) else OTHER


def trip_key(number: str) -> Row:
    """A train's number as the key of its trip; the type is None when no train has such a letter.

    IndexError for an empty number and TypeError for None: both are 500 in the original.
    """
    letter = number[0]
    return {"type": letter if letter in TRAIN_LETTERS else None, "number": number[1:]}


def number_of(trip: Row) -> str:
    """The train's number of a trip; TypeError when its letter is missing."""
    key = trip["tripId"]
    return key["type"] + (key["number"] or "null")


def index_of(items: Sequence[Any], item: Any) -> int:
    """Where an item is first, -1 when it is not there."""
    return items.index(item) if item in items else -1
