"""The network that services export in is made as their file has it, and this machine's address in it is known."""

from __future__ import annotations

import pytest
from documents import with_service

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.compose.telemetry import make_network


class Engine:
    """Notes what is made, and tells of each network the pool that a test gives."""

    def __init__(self, **pool) -> None:
        self.api = self
        self.made: dict = {}
        self._pool = pool

    def create_network(self, name, **more):
        self.made[name] = more

    def inspect_network(self, name):
        return {"IPAM": {"Config": [self._pool]}}


def document(**network):
    """Of one service in one network."""
    return {**with_service(networks={"back": None}), "networks": {"back": {"name": "p_back", **network}}}


def made(engine, document) -> str:
    """The address of this machine in the first network of the service."""
    return make_network(engine, document, "ours", "web", {"a": "b"})


def test_fixed_addresses_stay():
    """Else no container could have the one that the file gives it."""
    config = {"subnet": "10.9.8.0/24", "ip_range": "10.9.8.128/25", "gateway": "10.9.8.200"}
    engine = Engine(Gateway="10.9.8.200")
    assert made(engine, document(ipam={"config": [config]}, driver_opts={"x": "y"}, internal=True)) == "10.9.8.200"
    told = engine.made["ours_back"]
    pool = told["ipam"]["Config"][0]
    assert (pool["Subnet"], pool["IPRange"], pool["Gateway"]) == tuple(config.values())
    assert (told["options"], told["internal"], told["labels"]["a"]) == ({"x": "y"}, True, "b")


@pytest.mark.parametrize(
    ("pool", "wanted"),
    [
        ({"Subnet": "10.9.8.0/24"}, "10.9.8.1"),
        ({"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1/16"}, "172.18.0.1"),
    ],
)
def test_the_address_of_this_machine_is_found_where_it_is_not_told(pool, wanted):
    """Engines leave it out of networks whose subnet was given."""
    engine = Engine(**pool)
    assert made(engine, document(ipam={})) == wanted
    assert engine.made["ours_back"]["ipam"] is None


def test_a_network_of_others_is_only_looked_at():
    """And it has the name that they gave it."""
    engine = Engine(Gateway="172.30.0.1")
    assert made(engine, document(external=True)) == "172.30.0.1"
    assert engine.made == {}


def test_a_range_without_the_address_of_this_machine_is_refused():
    """Which of the range the engine took it does not tell."""
    with pytest.raises(DeploymentError, match="network 'back': ipam: ip_range without a gateway"):
        made(Engine(Subnet="10.9.8.0/24", IPRange="10.9.8.128/25"), document())


def test_a_driver_without_an_address_of_this_machine_is_refused():
    """With network, key and service."""
    with pytest.raises(DeploymentError, match=r"network 'back': driver: macvlan .*; leave 'web' out of otlp="):
        made(Engine(), document(driver="macvlan"))
