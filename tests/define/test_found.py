"""What is read out of a resolved compose document without asking: engines, kinds, ports, probes, calls."""

from __future__ import annotations

import copy

import pytest
from documents import SHOP

from pytest_anomod.define import engines
from pytest_anomod.define.found import find_services, health_url, mentions_of
from pytest_anomod.model.system import Probe, ServiceKind

FOUND = {one.name: one for one in find_services(SHOP)}


def test_jobs_are_no_services():
    """What others wait for to end, and what the user says ends."""
    assert list(FOUND) == ["gateway", "catalog", "orders", "cache", "db"]
    assert "orders" not in {one.name for one in find_services(SHOP, frozenset({"orders"}))}


def test_nothing_that_has_no_container():
    """It is in the document, scaled to none."""
    document = copy.deepcopy(SHOP)
    document["services"]["cache"]["deploy"] = {"replicas": 0}
    assert "cache" not in {one.name for one in find_services(document)}


@pytest.mark.parametrize(
    ("name", "engine", "kind", "port"),
    [
        ("gateway", "http", ServiceKind.GATEWAY, 3000),
        ("catalog", "http", ServiceKind.APP, 8000),
        ("orders", "http", ServiceKind.APP, 7000),
        ("cache", "redis", ServiceKind.CACHE, 6379),
        ("db", "postgresql", ServiceKind.DOCSTORE, 5432),
    ],
)
def test_engine_kind_and_port(name, engine, kind, port):
    """By image, check, URL of a caller, alias of a network."""
    assert (FOUND[name].engine, FOUND[name].kind, FOUND[name].port) == (engine, kind, port)


def test_each_answer_says_where_it_came_from():
    """So that who reads it can judge."""
    assert FOUND["db"].why["engine"] == "pg_isready in its health check"
    assert FOUND["cache"].why["engine"] == "image redis:7-alpine"
    assert FOUND["catalog"].why["port"] == "CATALOG_URL of gateway"
    assert FOUND["gateway"].why["calls"] == "catalog: CATALOG_URL, orders: ORDERS"


def test_calls_come_from_what_services_are_told():
    """By environment, by command, and by what they wait for; a job is no service to call."""
    calls = {name: one.calls for name, one in FOUND.items()}
    assert calls == {"gateway": ("catalog", "orders"), "catalog": ("db",), "orders": ("cache",), "cache": (), "db": ()}


def test_the_path_of_a_health_check_is_the_probe():
    """Only if it asks where the service is reached by others."""
    assert FOUND["gateway"].probe == Probe(kind="http", path="/health")
    assert FOUND["catalog"].probe == Probe()


def told(**environment):
    """Mentions in the environment of a service beside db, api and shop-cache."""
    services = {"web": {"environment": environment}, "db": {}, "api": {}, "shop-cache": {"container_name": "redis-1"}}
    return [(one.called, one.scheme, one.port) for one in mentions_of("web", services)]


@pytest.mark.parametrize(
    ("environment", "mentions"),
    [
        ({"A": "postgresql+asyncpg://u:p@db:5433/x"}, [("db", "postgresql+asyncpg", 5433)]),
        ({"A": "jdbc:mysql://db/x"}, [("db", "mysql", 0)]),
        ({"A": "mongodb://db:1,api:2/?x"}, [("db", "mongodb", 1), ("api", "", 2)]),
        ({"A": "http://api"}, [("api", "http", 0)]),
        ({"DB_HOST": "db", "DB_NAME": "db", "USER": "db"}, [("db", "", 0)]),
        ({"PEERS": "shop-cache:6379"}, [("shop-cache", "", 6379)]),
        ({"PEERS": "redis-1:6379"}, [("shop-cache", "", 6379)]),
        ({"A": "http://api.example.com:80", "B": "my-db:5432", "C": "http://x/db:1.5", "D": "dbx://y"}, []),
        ({"A": None, "B": 5, "C": "nothing"}, []),
    ],
)
def test_mentions(environment, mentions):
    """A name counts where a host can stand, and nowhere else."""
    assert told(**environment) == mentions


@pytest.mark.parametrize(
    ("test", "found"),
    [
        (["CMD", "curl", "-f", "http://localhost:8080/healthz"], (8080, "/healthz")),
        (["CMD-SHELL", "wget -qO- http://127.0.0.1/ready?x=1 || exit 1"], (80, "/ready?x=1")),
        ("curl http://localhost:1", (1, "/")),
        (["CMD", "curl", "https://localhost/x"], None),
        (["CMD", "curl", "http://other:80/x"], None),
        (["NONE"], None),
        (["CMD", "true"], None),
    ],
)
def test_health_checks_over_http(test, found):
    """Of the service itself, without encryption."""
    assert health_url({"healthcheck": {"test": test}}) == found
    assert health_url({"healthcheck": {"test": test, "disable": True}}) is None


@pytest.mark.parametrize(
    ("image", "engine"),
    [
        ("docker.io/bitnami/postgresql:16@sha256:1", "postgresql"),
        ("postgis/postgis:16-3", "postgresql"),
        ("mariadb", "mysql"),
        ("mongo:7", "mongodb"),
        ("valkey/valkey", "redis"),
        ("redis/redis-stack-server:latest", "redis"),
        ("rabbitmq:3-management", "rabbitmq"),
        ("localhost:5000/redis", "redis"),
        ("oliver006/redis-exporter", "http"),
        ("mongo-express", "http"),
        ("shop/redistribute", "http"),
    ],
)
def test_engines_by_image(image, engine):
    """The last part of the name, and no tool that only looks at one."""
    assert engines.engine_of(image, [], [], [], 8080)[0] == engine


def test_engines_by_command_and_port():
    """Of images with names of their own."""
    assert engines.engine_of("x", ["redis-server", "--save", ""], [], [], 0) == ("redis", "redis-server in its command")
    assert engines.engine_of("x", ["exec /usr/bin/mysqld --user=x"], [], [], 0)[0] == "mysql"
    assert engines.engine_of("x", ["serve --postgres=db"], [], [], 80)[0] == "http"
    assert engines.engine_of("x", [], [], [], 27017) == ("mongodb", "port 27017")
    assert engines.engine_of("x", [], [], [], 0)[0] == ""
