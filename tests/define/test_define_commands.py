"""A Procfile or a list of commands becomes a system; what is not said is guessed, what is wrong is named."""

from __future__ import annotations

import pytest

from pytest_anomod.declare import scenario
from pytest_anomod.define.commands import commands_system, procfile, procfile_system
from pytest_anomod.define.journeys import visit
from pytest_anomod.model import catalog, redact
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import Command, Commands, Probe, ServiceKind
from pytest_anomod.model.workload import OpenLoop, Scripted

SHOP = """\
db: bash db/start.sh
cache: redis-server --bind 127.0.0.1 --port {cache} --save ""
orders: PRICING=http://127.0.0.1:{pricing} java -jar orders.jar
pricing: ./pricing
gateway: ORDERS=http://127.0.0.1:{orders} node gateway.js $CATALOG_URL
catalog: python3 app.py
"""


@pytest.fixture(autouse=True)
def _own_definitions(monkeypatch):
    """What a test defines is forgotten after it."""
    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    yield
    catalog.offers.cache_clear()


@pytest.fixture
def file(tmp_path):
    """A Procfile of a shop."""
    path = tmp_path / "shop" / "Procfile"
    path.parent.mkdir()
    path.write_text(SHOP)
    return path


def test_a_procfile_is_a_system(file):
    """Kinds by engines, engines by programs, calls by ports that a command is told."""
    shop = procfile_system(
        file, entry="gateway", env={"CATALOG_URL": "http://127.0.0.1:{catalog}", "orders": {"TOP": "1"}}
    )
    assert catalog.find("systems", "shop") is shop
    assert shop.service("cache").engine == "redis"
    kinds = {service.name: service.kind for service in shop.services}
    assert kinds == {
        "db": ServiceKind.APP,
        "cache": ServiceKind.CACHE,
        "orders": ServiceKind.APP,
        "pricing": ServiceKind.APP,
        "gateway": ServiceKind.GATEWAY,
        "catalog": ServiceKind.APP,
    }
    calls = {service.name: service.calls for service in shop.services if service.calls}
    assert calls == {"orders": ("pricing",), "gateway": ("orders", "catalog")}
    (commands,) = shop.deploys
    assert isinstance(commands, Commands)
    assert commands.directory == str(file.parent)
    orders = next(command for command in commands.commands if command.service == "orders")
    assert orders.env == {
        "PRICING": "http://127.0.0.1:{pricing}",
        "CATALOG_URL": "http://127.0.0.1:{catalog}",
        "TOP": "1",
    }


def test_what_is_said_wins(file):
    shop = procfile_system(
        file,
        name="store",
        entry="gateway",
        kinds={"db": "docstore"},
        engines={"db": "postgresql"},
        probes={"pricing": Probe(path="/health")},
        calls={"catalog": ["db"]},
        ports={"db": 5432},
        logins={"db": "postgresql://shop:secret@127.0.0.1:{db}/shop"},
        journeys=[visit("/items")],
    )
    assert (shop.service("db").kind, shop.service("db").engine) == (ServiceKind.DOCSTORE, "postgresql")
    assert shop.service("pricing").probe.path == "/health"
    assert shop.service("catalog").calls == ("db",)
    assert [journey.name for journey in shop.journeys] == ["get_items"]
    assert "secret" not in repr(shop)


def test_secrets_are_kept_out_of_what_is_recorded(file, monkeypatch):
    """Those of variables and of logins, wherever a service prints them."""
    monkeypatch.setattr(redact, "_told", [])
    monkeypatch.setenv("MAIL_PASSWORD", "of-the-caller")
    (file.parent / ".env").write_text("API_TOKEN=of-the-file\n")
    procfile_system(
        file,
        entry="gateway",
        env={"orders": {"DB_PASSWORD": "of-one-service"}},
        logins={"db": "postgresql://shop:of-a-login@127.0.0.1:{db}/shop"},
    )
    for secret in ("of-the-caller", "of-the-file", "of-one-service", "of-a-login"):
        assert redact.redact_text(f"it is {secret} now") == "it is [redacted] now"


def test_the_entry_is_whom_nobody_calls(file):
    file.write_text("stock: ./stock\nfront: ./front {stock}\n")
    assert procfile_system(file).entry == "front"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "say which service users reach: entry='db' or 'cache' or 'gateway'"),
        ({"entry": "web"}, "has no service 'web', which entry names"),
        ({"entry": "gateway", "kinds": {"db": "database"}}, "kind 'database' of service 'db' is none of gateway, app"),
        ({"entry": "gateway", "calls": {"db": ["dbb"]}}, "has no service 'dbb', which calls of db names"),
        ({"entry": "gateway", "ports": {"dbb": 1}}, "has no service 'dbb', which ports names"),
        ({"entry": "gateway", "env": {"dbb": {}}}, "has no service 'dbb', which env names"),
        ({"entry": "gateway", "only": ["dbb"]}, "has no service 'dbb', which only names"),
    ],
)
def test_what_is_wrong_is_named(file, given, said):
    with pytest.raises(ScenarioError, match=said):
        procfile_system(file, **{"env": {"gateway": {"CATALOG_URL": "{catalog}"}}, **given})


def test_a_path_is_relative_to_the_calling_file(tmp_path):
    (tmp_path / "Procfile").write_text("web: ./server\n")
    conftest = tmp_path / "conftest.py"
    code = compile("web = procfile_system(name='beside')", conftest, "exec")
    names = {"procfile_system": procfile_system}
    exec(code, names)
    assert names["web"].deploys[0].directory == str(tmp_path)
    with pytest.raises(ScenarioError, match=r"'beside': one in .*conftest.py, one in .*test_define_commands.py"):
        procfile_system(tmp_path / "Procfile", name="beside")


def test_a_list_of_commands_is_a_system(tmp_path):
    system = commands_system(
        "pair",
        [
            Command(service="stock", argv=("redis-server", "--port", "{stock}")),
            Command(service="front", argv=("./front",), env={"STOCK": "redis://127.0.0.1:{stock}"}),
        ],
        directory=tmp_path,
    )
    assert system.entry == "front"
    assert system.service("front").calls == ("stock",)


def test_commands_alone_are_one_way_among_others(file):
    """For a system that a compose file starts as well."""
    commands = procfile(file, only=["catalog", "pricing"])
    assert [command.service for command in commands.commands] == ["pricing", "catalog"]


def test_a_file_of_another_tool_drives_a_system(file, tmp_path):
    """It lies beside the calling file, is read at once, and is what a scenario has that says nothing."""
    har = tmp_path / "visit.har"
    entry = '{"request": {"method": "GET", "url": "http://shop.example/items", "headers": []}}'
    har.write_text(f'{{"log": {{"entries": [{entry}]}}}}')
    shop = procfile_system(
        file, entry="gateway", workload=f"har:{har}", login=lambda entry: {"Cookie": "a=b"}, login_variables=["TOKEN"]
    )
    assert shop.login_variables == ("TOKEN",)
    assert scenario(system=shop.name).workload == Scripted(kind="har", path=str(har))
    assert scenario(system=shop.name, workload=OpenLoop()).workload == OpenLoop()
    assert shop.login("http://127.0.0.1:1") == {"Cookie": "a=b"}
    with pytest.raises(ScenarioError, match=r"there is no file .*/tests/define/gone\.har"):
        procfile_system(file, entry="gateway", workload="har:gone.har")
