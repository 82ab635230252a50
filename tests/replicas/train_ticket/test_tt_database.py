"""The one database: a pool with a limit for each service, locks and statements that are not waited for for ever."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from host_program import wait_for
from tt_system import System, new_trace

from pytest_anomod.replicas.train_ticket.database import POOL_SIZE, POOL_WAIT_S

CONFIGS = "/api/v1/configservice/configs"
SERVICE = "ts-config-service"


@contextmanager
def locked(system: System, table: str) -> Iterator[None]:
    """A table that somebody else holds."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(system.connect())
    transaction = connection.transaction()
    loop.run_until_complete(transaction.start())
    loop.run_until_complete(connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
    try:
        yield
    finally:
        loop.run_until_complete(transaction.rollback())
        loop.run_until_complete(connection.close())
        loop.close()


@contextmanager
def patient(system: System) -> Iterator[None]:
    """Locks are waited for ten times as long, so that connections stay in use."""

    async def tell(statement: str) -> None:
        connection = await system.connect("superuser")
        await connection.execute(statement)
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()

    asyncio.run(tell("ALTER SYSTEM SET lock_timeout = '5s'"))
    try:
        yield
    finally:
        asyncio.run(tell("ALTER SYSTEM RESET lock_timeout"))


def _figure(system: System, name: str) -> float:
    return next(
        float(line.split()[1]) for line in system.metrics(SERVICE).splitlines() if line.startswith(f"{name}{{store=")
    )


def test_a_lock_is_waited_for_for_half_a_second(system: System) -> None:
    """Then the statement fails, the client sees 500, and the log says why."""
    with locked(system, "config"):
        started = time.monotonic()
        answer = system.get(CONFIGS)
    assert answer.status_code == 500
    assert time.monotonic() - started > 0.4
    assert any("lock timeout" in line["body"] for line in system.logs(SERVICE))
    assert system.get(CONFIGS).status_code == 200


def test_a_pool_that_is_used_up_refuses_after_a_while(system: System) -> None:
    """More requests than connections: the rest wait POOL_WAIT_S and fail; afterwards everything works again."""
    url = system.url + CONFIGS
    before = _figure(system, "db_pool_timeouts_total")
    with patient(system), locked(system, "config"), ThreadPoolExecutor(POOL_SIZE + 4) as pool:
        asked = [pool.submit(requests.get, url, timeout=20) for _ in range(POOL_SIZE + 4)]
        wait_for(lambda: _figure(system, "db_pool_waiting") == 4, "four requests to wait")
        assert _figure(system, "db_pool_in_use") == POOL_SIZE == _figure(system, "db_pool_size")
        assert {future.result().status_code for future in asked} == {500}
    assert _figure(system, "db_pool_timeouts_total") > before
    assert _figure(system, "db_pool_in_use") == 0
    texts = [line["body"] for line in system.logs(SERVICE)]
    assert any(f"Connection is not available, request timed out after {POOL_WAIT_S:g} s." in text for text in texts)
    assert system.get(CONFIGS).status_code == 200


@pytest.mark.parametrize("store", ["tsdb-mysql"])
def test_without_the_database_services_answer_500_and_recover(system: System, store: str) -> None:
    """What was stored is still there, as nothing is lost by an orderly stop."""
    rows = system.data(CONFIGS)
    with system.stopped(store):
        assert system.get(CONFIGS).status_code == 500
        assert system.get("/api/v1/configservice/welcome").status_code == 200
    assert system.data(CONFIGS) == rows


def test_each_statement_is_a_span_with_its_table(system: System) -> None:
    """CLIENT spans to the database, as the agent of the original makes them."""
    trace, headers = new_trace()
    system.get(f"{CONFIGS}/DirectTicketAllocationProportion", headers=headers)
    span = next(span for span in system.spans(trace) if span["span_name"] == "SELECT ts.config")
    assert span["attributes"] == {"peer.service": "tsdb-mysql", "db.system": "mysql", "db.operation": "SELECT"}


def test_the_seed_is_that_of_the_original(system: System) -> None:
    """Counts of rows of the first start."""
    counts = {
        "station": 13, "train_type": 6, "route": 10, "trip": 5, "trip2": 5, "price_config": 10, "auth_user": 2,
        "contacts": 2, "config": 1, "security_config": 2, "inside_money": 1, "consign_price": 1,
        "station_food_store": 9, "train_food": 5,
    }  # fmt: skip
    for table, count in counts.items():
        assert system.sql(f"SELECT count(*) FROM {table}")[0][0] >= count, table
    rows = system.sql("SELECT train_number, status, price FROM orders ORDER BY row_number LIMIT 3")
    assert [tuple(row) for row in rows] == [("G1237", 0, "100.0"), ("G1234", 0, "100.0"), ("G1235", 0, "100.0")]
