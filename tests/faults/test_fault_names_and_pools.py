"""A resolver that fails and a pool that is used up: what can be declared, and what the probes make of what they see."""

from __future__ import annotations

import json

import pytest

from pytest_anomod.faults import DnsFailure, PoolExhaustion, connection_pool_exhaustion
from pytest_anomod.model import catalog
from pytest_anomod.model.capability import Lifecycle, Resolver
from pytest_anomod.model.errors import DeploymentError, InjectionError, ScenarioError
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.runtime import need
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.testing import FakeClock, FakeDeployment, fake_deployment
from pytest_anomod.testing.capabilities import FakeService

SHOP = System(
    name="shop",
    services=(
        Service(name="front", kind=ServiceKind.GATEWAY, calls=("cart",)),
        Service(name="cart", kind=ServiceKind.APP, calls=("price", "cart-db")),
        Service(name="price", kind=ServiceKind.APP, calls=("cart-cache",)),
        Service(name="cart-db", kind=ServiceKind.DOCSTORE, engine="postgresql"),
        Service(name="cart-cache", kind=ServiceKind.CACHE, engine="redis"),
    ),
    entry="front",
    journeys=(),
)


class Resolvers(FakeDeployment):
    """A shop whose services resolve what they are not told to forget; connections to a name are kept as `kept` says."""

    def __init__(self, directory):
        super().__init__(fake_deployment(directory).ref, SHOP)
        self.kept: dict[str, int] = {}
        self.everywhere: set[str] = set()
        self.networks: dict[str, set[str]] = {}
        self.silent = False
        self.offers[Resolver] = lambda service: OneResolver(self, service)


class OneResolver(FakeService):
    """The resolver of one of them."""

    def resolved(self, names):
        if self.deployment.silent:
            msg = f"no answer of {self.service}"
            raise DeploymentError(msg)
        known = self.deployment.networks.get(self.service, set(names))
        return (super().resolved(names) & known) - self.deployment.everywhere

    def connections(self, names):
        return sum(self.deployment.kept.get(name, 0) for name in names)


@pytest.fixture
def shop(tmp_path):
    """A fake deployment of the shop."""
    return Resolvers(tmp_path)


@pytest.mark.parametrize("peers", [(), ("price", "price"), ("",), "price", (3,), None])
def test_peers_must_be_names(peers):
    """At least one, each once; a single text is no list of names."""
    with pytest.raises(ScenarioError, match="peers="):
        catalog.make_fault("dns_failure", {"peers": peers})


@pytest.mark.parametrize(
    ("fault", "target", "says"),
    [
        (DnsFailure(peers=("prize",)), "cart", "no service 'prize'; did you mean price"),
        (DnsFailure(peers=("cart-cache",)), "cart", "never calls cart-cache; it calls price, cart-db"),
        (DnsFailure(peers=("price",)), "cart-db", "never calls price; it calls nobody"),
        (DnsFailure(peers=("price",)), "card", "no service 'card'"),
        (PoolExhaustion(), "price", "calls no postgresql"),
        (PoolExhaustion(), "cart-db", "calls no postgresql"),
    ],
)
def test_what_can_not_be_hit_is_refused_at_collection(fault, target, says):
    """With what would do."""
    with pytest.raises(ScenarioError, match=says):
        fault.check(SHOP, target)


def test_a_peer_more_than_the_target_calls_is_let_through():
    """A resolver fails for names whether they are asked for or not; one of them must be."""
    DnsFailure(peers=("price", "cart-cache")).check(SHOP, "cart")
    DnsFailure(peers=("cart-db",)).check(SHOP, "cart")
    PoolExhaustion().check(SHOP, "cart")


@pytest.mark.parametrize("leave", [-1, 1.5, True, "1"])
def test_connections_left_are_a_number(leave):
    """Of connections."""
    with pytest.raises(ScenarioError, match="leave="):
        catalog.make_fault("connection_pool_exhaustion", {"leave": leave})


def test_peers_survive_json():
    """The guardian makes the same fault of what was written down."""
    fault = DnsFailure(peers=("price", "cart-db"))
    again = catalog.make_fault(fault.name, json.loads(json.dumps(parameters(fault))))
    assert again == fault
    assert hash(again) == hash(fault)


def test_names_are_seen_to_be_gone_for_the_target_alone(shop):
    """Just these, and not before, and not after."""
    fault = DnsFailure(peers=("price", "cart-db"))
    assert not fault.active(shop, "cart")
    fault.inject(shop, "cart")
    seen = fault.active(shop, "cart")
    assert seen
    assert seen.evidence["unresolved"] == ["price", "cart-db"]
    assert seen.evidence["resolved_by"] == "front"
    assert not fault.active(shop, "price")
    fault.recover(shop, "cart")
    assert not fault.active(shop, "cart")


def test_services_in_different_networks_know_different_names(shop):
    """As of a compose file with a network before and one behind: each name is asked for where it was known before."""
    shop.networks = {
        "front": {"front", "cart"},
        "cart": {"front", "cart", "price", "cart-db"},
        "price": {"cart", "price", "cart-db", "cart-cache"},
        "cart-db": {"cart", "price", "cart-db"},
        "cart-cache": {"price", "cart-cache"},
    }
    fault = DnsFailure(peers=("price",))
    assert not fault.active(shop, "cart")
    fault.inject(shop, "cart")
    seen = fault.active(shop, "cart")
    assert seen
    assert seen.evidence == {
        "unresolved": ["price"],
        "resolved_by": "front, price",
        "names": 4,
        "connections_kept": 0,
    }
    fault.recover(shop, "cart")
    assert not fault.active(shop, "cart")
    with pytest.raises(InjectionError, match="'front' does not resolve price as it is: no network of it has them"):
        fault.inject(shop, "front")


def test_a_connection_that_is_kept_is_a_way_round_the_resolver(shop):
    """The fault is not in while the target could still talk to a peer."""
    fault = DnsFailure(peers=("price",))
    fault.inject(shop, "cart")
    shop.kept["price"] = 1
    assert not fault.active(shop, "cart")
    shop.kept["price"] = 0
    assert fault.active(shop, "cart")


def test_names_that_nobody_resolves_are_another_trouble(shop):
    """As when the peer is down; and names gone beyond those asked for are not this fault either."""
    fault = DnsFailure(peers=("price",))
    shop.everywhere = {"price"}
    assert not fault.active(shop, "cart")
    shop.everywhere = set()
    need(shop, Resolver, "cart").hide(("price", "cart-db"))
    assert not fault.active(shop, "cart")


def test_a_target_that_is_down_shows_nothing_and_is_recovered(shop):
    """Nobody can be asked, and nobody need be."""
    fault = DnsFailure(peers=("price",))
    fault.inject(shop, "cart")
    need(shop, Lifecycle, "cart").stop()
    assert not fault.active(shop, "cart")
    fault.recover(shop, "cart")
    need(shop, Lifecycle, "cart").start()
    assert not fault.active(shop, "cart")


def test_a_target_that_does_not_answer_is_not_called_recovered(shop, monkeypatch):
    """Silence is no evidence, for the probe as little as for the recovery."""
    fault = DnsFailure(peers=("price",))
    fault.inject(shop, "cart")
    shop.silent = True
    FakeClock().install(monkeypatch.setattr)
    with pytest.raises(DeploymentError):
        fault.active(shop, "cart")
    with pytest.raises(TimeoutError, match="'cart' to resolve all names again"):
        fault.recover(shop, "cart")


@pytest.mark.parametrize(
    ("leave", "in_use", "idle", "wanted"),
    [
        (0, 10, 10, True),
        (0, 0, 10, False),  # an idle pool
        (0, 10, 0, False),  # a busy one
        (0, 9, 10, False),
        (0, 10, 9, False),
        (2, 8, 10, True),
        (2, 7, 10, False),
        (5, 10, 10, False),  # half of it left is no exhaustion
    ],
)
def test_a_pool_is_used_up_when_it_is_in_use_and_does_nothing(monkeypatch, tmp_path, leave, in_use, idle, wanted):
    """Both must hold, by the word of two who don't know of each other."""
    page = "".join(
        f'db_pool_{name}{{store="cart-db"}} {value}.0\n'
        for name, value in {"size": 10, "in_use": in_use, "waiting": 3, "timeouts_total": 0}.items()
    )
    monkeypatch.setattr(connection_pool_exhaustion, "_metrics", lambda *_: f"# TYPE db_pool_size gauge\n{page}")
    monkeypatch.setattr(connection_pool_exhaustion._postgres, "look", lambda *_: {"open": 10, "idle": idle})
    seen = PoolExhaustion(leave=leave).active(Resolvers(tmp_path), "cart")
    assert seen.active is wanted
    assert seen.evidence["cart-db"]["waiting"] == 3


def test_a_service_that_tells_of_no_pool_can_not_be_judged(monkeypatch, shop):
    """No figures are no proof that all is well."""
    monkeypatch.setattr(connection_pool_exhaustion, "_metrics", lambda *_: "up 1\n")
    with pytest.raises(InjectionError, match="'cart' tell of no database pool"):
        PoolExhaustion().active(shop, "cart")
