"""The campaign of experiments/: faults and root causes don't tell each other, and every fault has its severities."""

from __future__ import annotations

import collections
import itertools
from types import SimpleNamespace

import pytest

from experiments.campaign import test_social_network as social_network
from experiments.campaign import test_train_ticket as train_ticket
from experiments.campaign.cells import STEPS
from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.model.fault import Level
from pytest_anomod.run.sharding import keep_shard

GROUPS = {
    "social_network": (social_network.READING, social_network.WRITING),
    "train_ticket": (train_ticket.INNER, train_ticket.OUTER),
}
SYSTEMS = {"social_network": social_network, "train_ticket": train_ticket}


def declared(module, *names):
    """The scenarios of tests of a module; of all without names."""
    return [one for name in names or vars(module) for one in getattr(getattr(module, name), ATTRIBUTE, ())]


EVERYTHING = [one for module in SYSTEMS.values() for one in declared(module)]
CELLS = [one for module in SYSTEMS.values() for one in declared(module, "test_cell")]


def targets(system):
    """The services that each fault of the matrix is put into."""
    found = collections.defaultdict(set)
    for one in CELLS:
        if one.system.name == system:
            found[one.fault.name].add(one.target)
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_fault_is_put_into_four_services_at_least_and_both_groups_alike(system):
    known = set().union(*GROUPS[system])
    for fault, hit in targets(system).items():
        assert len(hit) >= 4, fault
        if fault not in ("connection_pool_exhaustion", "redis_memory_limit"):  # stores, and services that have one
            counts = [len(hit & set(group)) for group in GROUPS[system]]
            assert counts[0] == counts[1], fault
            assert hit <= known, fault


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_service_gets_many_faults_and_no_fault_of_its_own(system):
    faults = targets(system)
    for service in set().union(*GROUPS[system]):
        assert sum(service in hit for hit in faults.values()) >= 5, service


def test_every_fault_is_there_at_each_severity_that_it_has():
    found = collections.defaultdict(set)
    for one in CELLS:
        found[type(one.fault)].add(one.severity)
    assert found == {kind: {step for step in STEPS if step in kind.dial} for kind in found}


def test_names_are_unique_and_there_are_as_many_as_the_docs_say():
    names = collections.Counter((one.system.name, one.name) for one in EVERYTHING)
    assert max(names.values()) == 1
    assert len(EVERYTHING) == 344
    assert sum(one.level is Level.NORMAL for one in EVERYTHING) == 20


def test_some_faults_are_in_for_a_while_a_route_or_a_group_of_users():
    gray = [one.fault for module in SYSTEMS.values() for one in declared(module, "test_gray")]
    assert any(fault.off_s for fault in gray)
    assert any(fault.path != "/" for fault in gray)
    assert any(fault.header for fault in gray)


def test_three_fifths_of_it_are_two_hundred_cases_with_every_fault_and_severity():
    """What docs/campaign.md says: without partitions, which need containers, five shards are disjoint and complete."""
    cells = [one for one in EVERYTHING if "network_partition" not in one.name]
    shards = [kept(cells, number, 5) for number in range(1, 6)]
    assert sorted(map(id, itertools.chain(*shards))) == sorted(map(id, cells))
    played = list(itertools.chain(*shards[:3]))
    assert len(played) == 202

    def kinds(some):
        return {(one.system.name, one.fault.name, one.severity) for one in some if one in CELLS}

    assert kinds(played) == kinds(cells)


def kept(declarations, number, count):
    """The share of a machine, by the plugin's own rule."""
    items = [SimpleNamespace(function=SimpleNamespace(**{ATTRIBUTE: one})) for one in declarations]
    config = SimpleNamespace(
        option=SimpleNamespace(anomod_shard=f"{number}/{count}"),
        hook=SimpleNamespace(pytest_deselected=lambda items: None),
    )
    keep_shard(config, items)
    return [getattr(item.function, ATTRIBUTE) for item in items]
