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


def test_translations_are_plain_data_that_names_the_target():
    """For ChaosBlade arguments, for Chaos Mesh kind and spec; None only where the tool can't do it."""
    samples = [faults.CpuContention(), faults.NetworkLoss(), faults.NetworkDelay(), faults.DiskStress()]
    for fault in samples:
        blade, mesh = fault.blade("cart-db"), fault.chaos_mesh("cart-db")
        assert blade["args"][-1] == "cart-db"
        assert "host" not in blade
        assert "blade" in blade["refusal"]
        assert mesh["spec"]["selector"]["labelSelectors"] == {"app": "cart-db"}
        assert json.loads(json.dumps([blade, mesh])) == [blade, mesh]


def test_limits_of_a_container_are_translated_where_there_is_such_a_thing():
    """ChaosBlade and Chaos Mesh fill memory and slow a volume; a limit on bytes alone neither has."""
    pressure, throttle = faults.MemoryPressure(spare_mb=100), faults.DiskThrottle(writes_per_s=50)
    assert pressure.blade("cart")["args"][-1] == "cart"
    assert "host" not in pressure.blade("cart")
    assert pressure.chaos_mesh("cart")["spec"]["stressors"] == {"memory": {"workers": 1, "size": "100MB"}}
    assert throttle.blade("cart-db") is None
    assert throttle.chaos_mesh("cart-db")["spec"]["delay"] == "20ms"
    assert faults.DiskThrottle(writes_per_s=0, kb_per_s=256).chaos_mesh("cart-db") is None


@pytest.mark.parametrize(
    ("fault", "every_s", "mesh"),
    [(faults.KillService(once=True), None, "pod-kill"), (faults.KillService(period_s=2), 2, "pod-failure")],
)
def test_a_single_kill_and_an_outage_are_different_things_for_other_tools(fault, every_s, mesh):
    """ChaosBlade kills once, and again when it is told to; Chaos Mesh's lasting outage is pod-failure."""
    assert fault.blade("cart")["host"][:2] == ["process", "kill"]
    assert fault.blade("cart").get("every_s") == every_s
    assert fault.chaos_mesh("cart")["spec"]["action"] == mesh


def test_what_chaosblade_can_not_do_truly_is_said():
    """A stopped process still has its port, and a limit without a policy evicts nothing."""
    for fault in (faults.StopService(), faults.RedisMemoryLimit(policy="allkeys-lru")):
        assert set(fault.blade("cart")) == {"refusal"}


def test_a_redis_limit_is_given_to_chaosblade_in_bytes():
    """Its percentage is of maxmemory, not of what is in use: on a stock Redis it limits nothing."""
    assert "--percent" not in faults.RedisMemoryLimit().blade("cart-redis")["host"]
    assert "{limit_bytes}" in faults.RedisMemoryLimit().blade("cart-redis")["host"]
    assert faults.RedisMemoryLimit().chaos_mesh("cart-redis") is None


def test_a_partition_is_for_chaos_mesh_what_vanishes_between_two():
    """It knows no refusal, and one value of a label; for ChaosBlade there is none."""
    fault = faults.NetworkPartition(peers=("cart-db",))
    spec = fault.chaos_mesh("cart")["spec"]
    assert (spec["action"], spec["direction"]) == ("partition", "both")
    assert spec["target"]["selector"]["labelSelectors"] == {"app": "cart-db"}
    assert faults.NetworkPartition(peers=("cart-db",), how="reject").chaos_mesh("cart") is None
    assert faults.NetworkPartition(peers=("cart-db", "front")).chaos_mesh("cart") is None
    assert set(fault.blade("cart")) == {"refusal"}


def test_requests_held_up_are_for_chaos_mesh_all_or_none():
    """Its percentage is of pods."""
    assert faults.HttpDelay(percent=70).chaos_mesh("cart") is None
    assert faults.HttpDelay(percent=100, delay_ms=250).chaos_mesh("cart")["spec"]["delay"] == "250ms"


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
