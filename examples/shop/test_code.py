"""Defects in the shop's own functions, in three languages, which AGENTS=1 lets in; its code stays as it is."""

from pytest_anomod import anomaly
from pytest_anomod.faults import CodeDelay, CodeException

LOOK, ORDER = "GET /products/3", "POST /orders?price=100&count=2"


@anomaly(
    system="shop",
    fault=CodeException(
        function="app:ask", probe=LOOK, exception="psycopg.OperationalError", message="connection lost"
    ),
    target="catalog",
)
def test_catalog_loses_its_database(case):
    """Python: catalog answers 503, and the gateway 502."""
    case.run()


@anomaly(system="shop", fault=CodeDelay(function="app:ask", probe=LOOK, delay_s=1), target="catalog")
def test_catalog_is_slow(case):
    """Python: every look and every order takes a second longer."""
    case.run()


@anomaly(
    system="shop",
    fault=CodeException(function="Orders:quote", probe=ORDER, exception="java.io.IOException", message="end of stream"),
    target="orders",
)
def test_orders_can_not_read_quotes(case):
    """Java: there are no orders."""
    case.run()


@anomaly(system="shop", fault=CodeDelay(function="Orders:quote", probe=ORDER, delay_s=1), target="orders")
def test_orders_is_slow(case):
    """Java: each order takes a second longer."""
    case.run()


@anomaly(system="shop", fault=CodeException(function="server:showProduct", probe=LOOK), target="gateway")
def test_gateway_shows_nothing(case):
    """Node: orders go on, looks fail."""
    case.run()


@anomaly(system="shop", fault=CodeDelay(function="server:showProduct", probe=LOOK, delay_s=1), target="gateway")
def test_gateway_is_slow(case):
    """Node: each look takes a second longer."""
    case.run()
