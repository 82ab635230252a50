"""What a declaration of a fault accepts, what it refuses, and how it survives JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pytest_anomod import faults
from pytest_anomod.model import catalog
from pytest_anomod.model.capability import Agent, Listener, NetNamespace, StoreLogin
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import parameters
from pytest_anomod.model.system import ComposeFiles, Replica, Service, ServiceKind, System

SYSTEM = System(
    name="shop",
    services=(
        Service(name="front", kind=ServiceKind.GATEWAY, calls=("cart",)),
        Service(name="cart", kind=ServiceKind.APP, calls=("cart-redis", "cart-db")),
        Service(name="cart-redis", kind=ServiceKind.CACHE, engine="redis"),
        Service(name="cart-db", kind=ServiceKind.DOCSTORE, engine="postgresql"),
    ),
    entry="front",
    journeys=(),
    deploys=(Replica(package="shop"),),
)
THEIRS = dataclasses.replace(SYSTEM, deploys=(ComposeFiles(files=("/shop/compose.yaml",)),))
"""The same shop, which is no replica of ours."""
CODE = {"function": "cart:Cart.add", "probe": "Add"}

BAD = [
    ("cpu_contention", {"duty_ms": 95, "period_ms": 100}, "duty_ms"),
    ("cpu_contention", {"duty_ms": 0}, "duty_ms"),
    ("cpu_contention", {"period_ms": "100"}, "period_ms"),
    ("cpu_contention", {"burners": 1.5}, "burners"),
    ("network_loss", {"percent": 0}, "percent"),
    ("network_loss", {"percent": 100}, "percent"),
    ("network_loss", {"percent": True}, "percent"),
    ("network_loss", {"percent": float("nan")}, "percent"),
    ("network_loss", {"means": "netem"}, "means"),
    ("network_bandwidth", {"rate_kbit": 4}, "rate_kbit"),
    ("network_bandwidth", {"rate_kbit": "64k"}, "rate_kbit"),
    ("network_partition", {"peers": ()}, "peers"),
    ("network_partition", {"peers": "cart"}, "peers"),
    ("network_partition", {"peers": ("cart", "cart")}, "peers"),
    ("network_partition", {"peers": ("cart",), "how": "refuse"}, "how"),
    ("http_delay", {"percent": 5}, "percent"),
    ("http_delay", {"delay_ms": 20_000}, "delay_ms"),
    ("http_delay", {"path": "orders"}, "path"),
    ("http_delay", {"method": "get"}, "method"),
    ("network_delay", {"delay_ms": 5}, "delay_ms"),
    ("network_delay", {"delay_ms": 50, "jitter_ms": 60}, "jitter_ms"),
    ("http_abort", {"status": 404}, "status"),
    ("http_abort", {"path": "orders"}, "path"),
    ("http_abort", {"method": "post"}, "method"),
    ("disk_stress", {"writers": 0}, "writers"),
    ("disk_stress", {"total_mb": 1_000}, "total_mb"),
    ("disk_stress", {"block_kb": 65_536, "total_mb": 64, "writers": 8}, "total_mb"),
    ("disk_stress", {"budget_gb": -1}, "budget_gb"),
    ("disk_throttle", {"writes_per_s": 0}, "writes_per_s"),
    ("disk_throttle", {"writes_per_s": 1}, "writes_per_s"),
    ("disk_throttle", {"writes_per_s": 0, "kb_per_s": 10}, "kb_per_s"),
    ("disk_throttle", {"kb_per_s": 0.5}, "kb_per_s"),
    ("memory_pressure", {"spare_mb": 8}, "spare_mb"),
    ("memory_pressure", {"outcome": "death"}, "outcome"),
    ("kill_service", {"period_s": 0}, "period_s"),
    ("kill_service", {"period_s": 3, "away_s": 3}, "away_s"),
    ("kill_service", {"once": True, "away_s": 0.1}, "away_s"),
    ("redis_memory_limit", {"percent_of_used": 0}, "percent_of_used"),
    ("redis_memory_limit", {"policy": "volatile-ttl"}, "policy"),
    ("code_exception", {**CODE, "function": "Cart.add"}, "function"),
    ("code_exception", {**CODE, "message": "Injected by a test"}, "message"),
    ("code_exception", {**CODE, "message": ""}, "message"),
    ("code_exception", {**CODE, "exception": "os.system('x')"}, "exception"),
    ("code_return", {**CODE, "value": {1, 2}}, "value"),
    ("code_return", {**CODE, "arguments": [1]}, "arguments"),
    ("code_return", {**CODE, "probe": "GET /carts/7", "arguments": {"id": 7}}, "arguments"),
    ("code_return", {**CODE, "probe": "GET carts"}, "probe"),
    ("code_return", {**CODE, "probe": "FETCH /carts"}, "probe"),
    ("code_return", {**CODE, "probe": "GET /carts", "status": 200}, "status"),
    ("code_return", {**CODE, "probe": "GET /carts", "status": 500, "expect": 1}, "status"),
    ("code_return", {**CODE, "probe": "Total", "status": 500}, "status"),
    ("code_delay", {**CODE, "delay_s": 0}, "delay_s"),
]


@pytest.mark.parametrize(("name", "given", "field"), BAD)
def test_a_bad_parameter_is_refused_with_its_name_and_value(name, given, field):
    """The author of a scenario reads which field is wrong and what it was."""
    with pytest.raises(ScenarioError) as caught:
        catalog.make_fault(name, given)
    assert f"{field}={given.get(field)!r}" in str(caught.value)


def test_a_parameter_that_no_fault_has_is_refused():
    """A misspelt parameter is not ignored."""
    with pytest.raises(ScenarioError, match="percentage"):
        catalog.make_fault("network_loss", {"percentage": 50})


@pytest.mark.parametrize(
    ("fault", "target"),
    [
        (faults.HttpAbort(), "cart-redis"),
        (faults.HttpDelay(), "cart-redis"),
        (faults.NetworkBandwidth(), "cart-db"),
        (faults.NetworkPartition(peers=("cart-db",)), "front"),
        (faults.NetworkPartition(peers=("front", "cart")), "cart"),
        (faults.DiskStress(), "cart-redis"),
        (faults.DiskThrottle(), "cart-redis"),
        (faults.MemoryPressure(outcome="kill"), "cart-db"),
        (faults.MemoryPressure(outcome="kill"), "cart-redis"),
        (faults.RedisMemoryLimit(), "cart-db"),
        (faults.KillService(), "cart-redis"),
        (faults.StopService(), "cart-redis"),
        (faults.DatabaseMemoryLimit(), "cart-redis"),
        (faults.TransactionTimeout(tables=("orders",)), "cart-redis"),
        (faults.CodeDelay(**CODE), "cart-db"),
        (faults.CpuContention(), "card"),
    ],
)
def test_a_target_that_can_not_be_hit_is_refused_at_collection(fault, target):
    """Each fault knows the kinds of services it can be aimed at, and names the target it refuses."""
    with pytest.raises(ScenarioError, match=f"'{target}'"):
        fault.check(SYSTEM, target)


@pytest.mark.parametrize(
    ("fault", "target"),
    [
        (faults.CpuContention(), "cart-db"),
        (faults.NetworkLoss(), "front"),
        (faults.NetworkLoss(), "cart-redis"),
        (faults.NetworkDelay(), "cart-db"),
        (faults.NetworkBandwidth(), "cart-redis"),
        (faults.NetworkPartition(peers=("cart-db", "front")), "cart"),
        (faults.NetworkPartition(peers=("cart",)), "cart-db"),
        (faults.DiskStress(), "cart-db"),
        (faults.DiskStress(), "cart"),
        (faults.DiskThrottle(), "cart"),
        (faults.DiskThrottle(writes_per_s=0, kb_per_s=256), "cart-db"),
        (faults.MemoryPressure(), "cart-redis"),
        (faults.MemoryPressure(outcome="kill"), "front"),
        (faults.RedisMemoryLimit(), "cart-redis"),
        (faults.KillService(), "cart-db"),
        (faults.StopService(), "cart"),
        (faults.CodeReturn(**CODE), "cart"),
        (faults.NoFault(), "cart"),
    ],
)
def test_a_target_that_can_be_hit_is_let_through(fault, target):
    """The check refuses nothing that works."""
    fault.check(SYSTEM, target)


@pytest.mark.parametrize("fault", [faults.KillService(), faults.StopService(), faults.DiskStress()])
def test_a_cache_that_nobody_filled_may_be_lost(fault):
    """What a replica's cache holds was put in when it came up; a stranger's fills itself."""
    fault.check(THEIRS, "cart-redis")


def test_what_a_service_of_a_replica_lacks_is_known_before_it_runs():
    """A store has no agent of ours and no listener that moves, a service no login."""
    runtime, needs = catalog.find("runtimes", "process"), frozenset({Agent, Listener, StoreLogin, NetNamespace})
    assert runtime.lacks(SYSTEM, "cart-db", needs) == {Agent, Listener, NetNamespace}
    assert runtime.lacks(SYSTEM, "cart", needs) == {StoreLogin, NetNamespace}


def test_a_mapping_parameter_survives_json():
    """Code faults carry the arguments of their probe, nested as they may be."""
    fault = faults.CodeReturn(**CODE, arguments={"ids": [1, {"a": None}]}, value={"total": 0.5})
    again = catalog.make_fault(fault.name, json.loads(json.dumps(parameters(fault))))
    assert again == fault


def test_disk_stress_tells_that_it_reaches_neighbours():
    """The case takes the host-wide lock for it, and for it alone."""
    reaching = {name for name, fault in catalog.offers("faults").items() if fault.host_wide}
    assert reaching == {"disk_stress"}


def test_what_needs_a_network_namespace_is_not_for_processes():
    """So a scenario with it is refused at collection there."""
    missing = {
        name
        for name, fault in catalog.offers("faults").items()
        if NetNamespace in fault.needs - catalog.find("runtimes", "process").capabilities
    }
    assert missing == {"network_partition"}


def test_faults_are_values():
    """Frozen, equal by value, keyword only."""
    fault = faults.NetworkLoss(percent=20)
    assert fault == faults.NetworkLoss(percent=20) != faults.NetworkLoss(percent=21)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault.percent = 3
