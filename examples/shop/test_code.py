"""Defects in the shop's own functions, in three languages, which AGENTS=1 lets in; its code stays as it is."""

from pytest_anomod import anomaly
from pytest_anomod.faults import CodeDelay, CodeException, CodeReturn

LOOK, ORDER = "GET /products/3", "POST /orders?price=100&count=2"
FREE = {"id": 3, "name": "product 3", "price": 0, "stock": 3}


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


@anomaly(system="shop", fault=CodeReturn(function="app:ask", probe=LOOK, value=FREE), target="catalog")
def test_catalog_says_that_all_is_free(case):
    """Python: whatever is looked at or bought is product 3, for nothing; all answers are 200 or 201."""
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


@anomaly(system="shop", fault=CodeReturn(function="Orders:quote", probe=ORDER, value=None, status=500), target="orders")
def test_orders_finds_no_quote(case):
    """Java: a null that nobody looked for is a 500 of orders, and a 502 at the gateway."""
    case.run()


@anomaly(system="shop", fault=CodeException(function="server:showProduct", probe=LOOK), target="gateway")
def test_gateway_shows_nothing(case):
    """Node: orders go on, looks fail."""
    case.run()


@anomaly(system="shop", fault=CodeDelay(function="server:showProduct", probe=LOOK, delay_s=1), target="gateway")
def test_gateway_is_slow(case):
    """Node: each look takes a second longer."""
    case.run()


@anomaly(
    system="shop",
    fault=CodeReturn(function="server:showProduct", probe=LOOK, value=[200, {}], expect={}),
    target="gateway",
)
def test_gateway_shows_empty_products(case):
    """Node: each look is answered with 200 and no product, whatever catalog said."""
    case.run()
