"""One line in a conftest makes compose files a system; what it can't know it asks for, and secrets stay secret."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from documents import SHOP, shop
from fake_compose import FakeCompose

from pytest_anomod.define import secrets
from pytest_anomod.define.compose import compose_system
from pytest_anomod.define.journeys import visit
from pytest_anomod.model import catalog, redact
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.system import ComposeFiles, ServiceKind

HERE = Path(__file__).parent


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """A compose command that prints the shop, for a file beside this one; what is defined is forgotten afterwards."""
    from pytest_anomod.runtimes.compose import cli, resolve

    monkeypatch.setattr(redact, "_told", [])
    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr(resolve, "_content", lambda files: "the same")
    monkeypatch.setattr(resolve, "_resolved", {})
    cli.find.cache_clear()
    fake = FakeCompose(directory)
    fake.say(document=SHOP)
    yield fake
    cli.find.cache_clear()
    catalog.offers.cache_clear()


def test_it_is_a_system_by_the_projects_name(compose):
    """Known to the catalog; files are those beside the caller."""
    system = compose_system("compose.yaml", "more/b.yaml")
    assert catalog.find("systems", "shop") is system
    assert system.entry == "gateway"
    assert system.deploy(ComposeFiles).files == (str(HERE / "compose.yaml"), str(HERE / "more" / "b.yaml"))
    assert [service.name for service in system.services] == ["gateway", "catalog", "orders", "cache", "db"]
    assert [journey.name for journey in system.journeys] == ["get_health"]
    assert system.service("db").engine == "postgresql"


def test_what_is_said_counts_more_than_what_is_found(compose):
    """Name, kinds, engines, ports, calls, journeys."""
    system = compose_system(
        name="other",
        kinds={"orders": "queue"},
        engines={"orders": "redis"},
        ports={"orders": 1234},
        calls={"orders": ["db"]},
        journeys=[visit("/products/7")],
        rate_rps=3.0,
        login_variables=["SHOP_TOKEN"],
    )
    assert system.login_variables == ("SHOP_TOKEN",)
    orders = system.service("orders")
    assert (orders.kind, orders.engine, orders.port, orders.calls) == (ServiceKind.QUEUE, "redis", 1234, ("db",))
    assert (system.name, system.rate_rps, system.journeys[0].name) == ("other", 3.0, "get_products_7")
    assert compose_system(name="third", engines={"orders": "mysql"}).service("orders").kind is ServiceKind.DOCSTORE


def test_several_that_publish_are_listed_with_their_ports(compose):
    """A store that is published for developers is no entry."""
    document = shop()
    document["services"]["orders"]["ports"] = [{"target": 7000, "published": "7000", "protocol": "tcp"}]
    compose.say(document=document)
    with pytest.raises(ScenarioError, match=r"entry=\.\.\.: these publish ports: gateway \(3000\), orders \(7000\)$"):
        compose_system()
    assert compose_system(entry="orders").entry == "orders"


def test_without_a_published_port_the_entry_is_asked_for(compose):
    """Any service can be it."""
    document = shop()
    for service in document["services"].values():
        service.pop("ports", None)
    compose.say(document=document)
    with pytest.raises(ScenarioError, match="no service publishes a port"):
        compose_system()
    assert compose_system(entry="catalog").entry == "catalog"


def test_names_that_are_none_are_refused(compose):
    """With the place and those that there are."""
    with pytest.raises(ScenarioError, match=r"engines= names cash, but 'shop' has the services gateway, catalog"):
        compose_system(engines={"cash": "redis"})
    with pytest.raises(ScenarioError, match=r"zipkin= names cash"):
        compose_system(zipkin="cash")
    with pytest.raises(ScenarioError, match="no service 'cash'"):
        compose_system(entry="cash")


def test_what_compose_refuses_is_refused_in_its_words(compose):
    """In one line, with the files."""
    compose.say(code=1, stderr="validating x: services.web.ports must be a list\n")
    with pytest.raises(ScenarioError, match=r"compose\.yaml can't be read as a system: validating x: services\.web"):
        compose_system()


def test_the_same_file_may_define_a_name_again(compose):
    """It is collected again, say."""
    first = compose_system()
    assert compose_system() is not first
    assert catalog.find("systems", "shop") is not first


def test_passwords_of_the_file_are_kept_out_of_all_that_is_recorded(compose):
    """As they are, in a URL, in JSON; other words stay."""
    compose_system()
    said = redact.redact_text('login of shop with s3cret-$word failed: {"x": "s3cret-$word"} at db')
    assert said == 'login of shop with [redacted] failed: {"x": "[redacted]"} at db'
    assert redact.redact_json({"sql": "connect s3cret-$word"}) == {"sql": "connect [redacted]"}
    assert redact.redact_headers({"x-seen": "s3cret-$word"}) == {"x-seen": "[redacted]"}
    assert redact.redact_body(b"q=s3cret-%24word", 100) == ("q=[redacted]", False)


@pytest.mark.parametrize(
    ("environment", "values"),
    [
        ({"API_TOKEN": "abcdef1"}, {"abcdef1"}),
        ({"REDIS_URL": "redis://:p%40ssword@cache"}, {"p%40ssword", "p@ssword"}),
        ({"TOKEN_URL": "http://auth/token", "PASSWORD_FILE": "/run/secrets/x", "TOKEN_TTL": "six hours"}, set()),
        ({"DB_PASSWORD": "db", "POSTGRES_PASSWORD": "catalog", "PIN_SECRET": "123456789"}, set()),
        ({"LOG_LEVEL": "everything", "PASSWORD": None}, set()),
    ],
)
def test_which_values_are_secrets(environment, values):
    """By their names and in URLs; not what is too short, a number or the name of a service."""
    document = copy.deepcopy(SHOP)
    document["services"] = {"catalog": {"environment": environment}}
    document["secrets"] = {}
    assert secrets.secrets_of(document) == values


def test_contents_of_secrets_are_secrets(tmp_path, monkeypatch):
    """From a file, a variable, or the document itself."""
    (tmp_path / "key").write_text("from-the-file\n")
    monkeypatch.setenv("A_SECRET", "from-the-variable")
    kinds = {"a": {"file": str(tmp_path / "key")}, "b": {"environment": "A_SECRET"}, "c": {"content": "from-itself"}}
    document = {"name": "p", "services": {}, "secrets": {**kinds, "d": {"file": str(tmp_path / "none")}}}
    assert secrets.secrets_of(document) == {"from-the-file", "from-the-variable", "from-itself"}
