"""The login of a store's administrator is what its container, or one that calls it, was told."""

from __future__ import annotations

import types

import pytest

from pytest_anomod.runtimes.containers.stores import login_of


def deployment(engine, environment, *, words=(), told=None):
    """Of a store and a service that calls it."""
    seen = {
        "db": types.SimpleNamespace(environment=environment, words=words, pid=0),
        "web": types.SimpleNamespace(environment=told or {}, words=(), pid=0),
    }
    running = types.SimpleNamespace(address=("172.18.0.2", 1234), state="running")
    return types.SimpleNamespace(
        described={"db": {"engine": engine}, "web": {"engine": "http"}},
        first=lambda _: running,
        seen=seen.__getitem__,
        find=lambda: {"db": ("1",), "web": ("2",)},
    )


WHERE = "172.18.0.2:1234"


@pytest.mark.parametrize(
    ("engine", "environment", "more", "wanted"),
    [
        ("redis", {}, {}, f"redis://{WHERE}/0"),
        ("redis", {}, {"words": ("redis-server", "--requirepass", "a b")}, f"redis://:a@{WHERE}/0"),
        ("postgresql", {"POSTGRES_PASSWORD": "p@ss"}, {}, f"postgresql://postgres:p%40ss@{WHERE}/postgres"),
        (
            "postgresql",
            {},
            {"told": {"URL": "postgres://me:secret@db:5432/shop"}},
            f"postgresql://me:secret@{WHERE}/shop",
        ),
        ("mysql", {"MYSQL_ROOT_PASSWORD": "root", "MYSQL_DATABASE": "ts"}, {}, f"mysql://root:root@{WHERE}/ts"),
        (
            "mysql",
            {"MARIADB_ROOT_PASSWORD": "root"},
            {"told": {"URL": "mysql+pymysql://ts:x@db:3306/ts"}},
            f"mysql://root:root@{WHERE}/ts",
        ),
    ],
)
def test_the_login_is_what_was_told(engine, environment, more, wanted):
    """To the store, or to who calls it."""
    assert login_of(deployment(engine, environment, **more), "db").dsn() == wanted


@pytest.mark.parametrize(("engine", "environment"), [("postgresql", {}), ("mongodb", {"MONGO_PASSWORD": "x"})])
def test_where_nothing_is_told_there_is_none(engine, environment):
    """And of other engines nothing is known."""
    assert login_of(deployment(engine, environment), "db") is None
