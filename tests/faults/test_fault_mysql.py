"""Transactions of a MySQL that time out, on a real MariaDB where one is; what has no equivalent is refused."""

from __future__ import annotations

import getpass
import shutil
import subprocess

import owners
import pytest

from pytest_anomod import commands_system
from pytest_anomod.faults import DatabaseMemoryLimit, PoolExhaustion, RedisMemoryLimit, TransactionTimeout, _mysql
from pytest_anomod.model import catalog
from pytest_anomod.model.errors import InjectionError, ScenarioError
from pytest_anomod.model.system import Command, Service, ServiceKind, System
from pytest_anomod.runtimes.commands.runtime import CommandsRuntime
from pytest_anomod.safety import sessions

_private_state = owners._private_state

SHOP = System(
    name="shop",
    services=(
        Service(name="web", kind=ServiceKind.GATEWAY, calls=("db", "docs")),
        Service(name="db", kind=ServiceKind.DOCSTORE, engine="mysql"),
        Service(name="docs", kind=ServiceKind.DOCSTORE, engine="mongodb"),
    ),
    entry="web",
    journeys=(),
)


@pytest.mark.parametrize(
    ("fault", "target", "says"),
    [
        (TransactionTimeout(tables=("orders",)), "db", "lock_timeout_ms=500 .* MySQL counts in whole seconds"),
        (TransactionTimeout(tables=("orders",)), "docs", "engine='mongodb', and this fault needs postgresql or mysql"),
        (DatabaseMemoryLimit(), "db", "engine='mysql', and this fault needs postgresql"),
        (DatabaseMemoryLimit(), "docs", "engine='mongodb', and this fault needs postgresql"),
        (PoolExhaustion(), "web", "calls no postgresql"),
        (RedisMemoryLimit(), "docs", "engine='mongodb', and this fault needs redis"),
    ],
)
def test_what_has_no_plain_equivalent_is_refused_at_collection(fault, target, says):
    """With fault, target and engine."""
    with pytest.raises(ScenarioError, match=says):
        fault.check(SHOP, target)


TABLES = """
CREATE DATABASE shop;
CREATE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE shop.prices (id INT PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO shop.orders VALUES (1);
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory, _private_state):
    """A MariaDB as a plain command, with two tables and the login of its administrator."""
    if not (shutil.which("mariadbd") and shutil.which("mariadb-install-db")):
        pytest.skip("no MariaDB here: apt-get install mariadb-server")
    here, user = tmp_path_factory.mktemp("mariadb"), f"--user={getpass.getuser()}"
    (here / "tables.sql").write_text(TABLES.lstrip())
    own = ["--no-defaults", f"--datadir={here}/data", user]
    made = ["mariadb-install-db", *own, "--skip-test-db", "--auth-root-authentication-method=normal"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    words = ["mariadbd", *own, "--port={db}", "--bind-address=127.0.0.1", f"--socket={here}/s"]
    words += [f"--init-file={here}/tables.sql", "--innodb-buffer-pool-size=8M"]
    login = {"db": "mysql://root@127.0.0.1:{db}/shop"}
    session, runtime = sessions.new_session(tmp_path_factory.mktemp("out"), "run", "gw7"), CommandsRuntime()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_registered", {})
        patch.setenv(catalog.DEFINED_IN, "")
        command = Command(service="db", argv=tuple(words), restart=False)
        deployment = runtime.up(commands_system("mysql", [command], directory=here, entry="db", logins=login), session)
        yield deployment
        runtime.down(deployment)
    catalog.offers.cache_clear()
    assert sessions.end_session(session) == ()


@pytest.mark.parametrize("blocks", ["writes", "all"])
def test_transactions_time_out_and_then_do_not(store, blocks):
    """Of services' sessions too, which begin anew; reads go on unless they are blocked too, and so do other tables."""
    fault = TransactionTimeout(tables=("orders",), lock_timeout_ms=1_000, blocks=blocks)
    with _mysql.session(store, "db") as usual:
        before = usual.settings()
        fault.prepare(store, "db")
        assert not fault.active(store, "db")
        fault.inject(store, "db")
        with pytest.raises(Exception, match=r"Lost connection|gone away|2013"):
            usual.rows("SELECT 1")
    seen = fault.active(store, "db")
    assert seen
    assert seen.evidence["locked"] == ["orders"]
    with _mysql.session(store, "db") as again:
        assert not again.may_write("orders")
        assert again.may_write("prices")
    reads = read(store, "orders")
    assert reads == ("timed out" if blocks == "all" else 1)
    fault.recover(store, "db")
    fault.recover(store, "db")
    assert not fault.active(store, "db")
    with _mysql.session(store, "db") as again:
        assert again.settings() == before
        assert again.may_write("orders")
        assert again.in_use() == []


def read(store, table: str) -> object:
    """The number of rows, as a service reads it."""
    try:
        with _mysql.session(store, "db") as session:
            return session.rows(f"SELECT COUNT(*) FROM {table}")[0][0]
    except InjectionError as error:
        return "timed out" if "1205" in str(error) else str(error)


def test_a_table_that_is_not_there_is_named(store):
    """With those that are."""
    with pytest.raises(InjectionError, match="'db' has no table prizes; it has orders, prices"):
        TransactionTimeout(tables=("prizes",), lock_timeout_ms=1_000).prepare(store, "db")
