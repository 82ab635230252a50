"""Steps that examples and journeys need before they begin: orders in a state, contacts, days to travel on."""

import secrets
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

from tt_system import USER_ID, System

ORDERS = {"orders": "/api/v1/orderservice/order", "orders_other": "/api/v1/orderOtherService/orderOther"}


def day(offset: int = 0) -> str:
    """A day from today on, as the original's time zone has it."""
    return f"{datetime.now(UTC) + timedelta(hours=8, days=offset):%Y-%m-%d}"


def table_of(train: str) -> str:
    """The table of a train's orders."""
    return "orders" if train[0] in "GD" else "orders_other"


def new_order(system: System, train: str = "G1235", **values: Any) -> str:
    """Store an order and give the id it is stored under; every one is somebody else's."""
    order = {
        "accountId": USER_ID,
        "contactsName": secrets.token_hex(8),
        "trainNumber": train,
        "travelDate": day(1),
        "travelTime": "2013-05-04 12:00:00",
        "from": "nanjing",
        "to": "shanghai",
        "seatNumber": str(secrets.randbelow(10**9)),
        "seatClass": 3,
        "status": 0,
        "price": "125.0",
        **values,
    }
    table = table_of(train)
    assert system.post(ORDERS[table], order, token="user").json()["status"] == 1
    return system.sql(f"SELECT id FROM {table} WHERE contacts_name = $1", order["contactsName"])[0][0]


def order(train: str = "G1235", **values: Any) -> Any:
    """The `given` of an example that needs an order, as {order}."""
    return lambda system: {"order": new_order(system, train, **values)}


def status_is(status: int, train: str = "G1235", **more: Any) -> Any:
    """The `then` of an example: the order now has this state, and these values by the names of their columns."""

    def look(system: System, known: Any, answer: Any) -> None:
        row = dict(system.sql(f"SELECT * FROM {table_of(train)} WHERE id = $1", known["order"])[0])
        assert {name: row[name] for name in ("status", *more)} == {"status": status, **more}

    return look


def contact(system: System) -> str:
    """A contact of the user."""
    return system.data(f"/api/v1/contactservice/contacts/account/{USER_ID}", token="user")[0]["id"]


def publish(system: System, queue: str, text: str) -> None:
    """Put a message into a queue as a producer of the original would, without a trace."""
    parts = [b"XADD", queue.encode(), b"*", b"body", text.encode()]
    command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    with socket.create_connection(("127.0.0.1", system.services["rabbitmq"]["port"]), timeout=5) as connection:
        connection.sendall(command)
        assert connection.recv(100).startswith(b"$")
