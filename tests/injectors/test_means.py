"""What ChaosBlade and Chaos Mesh are told of a fault, or why not; a third party's fault gets means from outside."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from pytest_anomod import faults
from pytest_anomod.injectors.chaos_mesh import manifest
from pytest_anomod.injectors.chaosblade.means import Create, means
from pytest_anomod.model import catalog
from pytest_anomod.testing import FakeFault


@pytest.mark.parametrize(
    "fault", [faults.CpuContention(), faults.NetworkLoss(), faults.NetworkDelay(), faults.DiskStress()]
)
def test_a_manifest_is_plain_data_that_names_the_target(fault):
    """And blade says why it has none that hits the target alone."""
    mesh = manifest(fault, "cart-db")
    assert mesh["spec"]["selector"]["labelSelectors"] == {"app": "cart-db"}
    assert json.loads(json.dumps(mesh)) == mesh
    assert "blade" in means(fault)


def test_limits_of_a_container_are_translated_where_there_is_such_a_thing():
    """Chaos Mesh fills memory and slows a volume; a limit on bytes alone it does not have."""
    pressure, throttle = faults.MemoryPressure(spare_mb=100), faults.DiskThrottle(writes_per_s=50)
    assert manifest(pressure, "cart")["spec"]["stressors"] == {"memory": {"workers": 1, "size": "100MB"}}
    assert manifest(throttle, "cart-db")["spec"]["delay"] == "20ms"
    assert manifest(faults.DiskThrottle(writes_per_s=0, kb_per_s=256), "cart-db") is None
    assert "no limit on the target" in means(pressure)
    assert means(throttle) == "ChaosBlade has no disk_throttle"


@pytest.mark.parametrize(
    ("fault", "every_s", "mesh"),
    [(faults.KillService(once=True), None, "pod-kill"), (faults.KillService(period_s=2), 2, "pod-failure")],
)
def test_a_single_kill_and_an_outage_are_different_things_for_other_tools(fault, every_s, mesh):
    """ChaosBlade kills once, and again when it is told to; Chaos Mesh's lasting outage is pod-failure."""
    assert means(fault).words[:2] == ("process", "kill")
    assert means(fault).every_s == every_s
    assert manifest(fault, "cart")["spec"]["action"] == mesh


def test_a_redis_limit_is_given_to_chaosblade_in_bytes():
    """Its percentage is of maxmemory, not of what is in use: on a stock Redis it limits nothing."""
    words = means(faults.RedisMemoryLimit()).words
    assert "--percent" not in words
    assert "{limit_bytes}" in words
    assert manifest(faults.RedisMemoryLimit(), "cart-redis") is None


def test_a_partition_is_for_chaos_mesh_what_vanishes_between_two():
    """It knows no refusal; several peers are values of one label."""
    spec = manifest(faults.NetworkPartition(peers=("cart-db",)), "cart")["spec"]
    assert (spec["action"], spec["direction"]) == ("partition", "both")
    assert spec["target"]["selector"]["labelSelectors"] == {"app": "cart-db"}
    assert manifest(faults.NetworkPartition(peers=("cart-db",), how="reject"), "cart") is None
    several = manifest(faults.NetworkPartition(peers=("cart-db", "front")), "cart")["spec"]["target"]["selector"]
    assert several == {"expressionSelectors": [{"key": "app", "operator": "In", "values": ["cart-db", "front"]}]}


def test_a_round_trip_takes_as_much_longer_in_chaos_mesh():
    """It delays what a pod sends, ours what comes as well."""
    spec = manifest(faults.NetworkDelay(delay_ms=100, jitter_ms=10), "cart")["spec"]
    assert (spec["delay"]["latency"], spec["delay"]["jitter"]) == ("200ms", "20ms")


def test_requests_held_up_are_for_chaos_mesh_all_or_none():
    """Its percentage is of pods."""
    assert manifest(faults.HttpDelay(percent=70), "cart") is None
    spec = manifest(faults.HttpDelay(percent=100, delay_ms=250, header="X-Group: beta"), "cart")["spec"]
    assert (spec["delay"], spec["request_headers"]) == ("250ms", {"X-Group": "beta"})


def test_chaos_mesh_gets_patterns_of_names():
    """An error for each of them, in the target alone."""
    spec = manifest(faults.DnsFailure(peers=("price", "cart-db")), "cart")["spec"]
    assert (spec["action"], spec["patterns"]) == ("error", ["price*", "cart-db*"])
    assert spec["selector"]["labelSelectors"] == {"app": "cart"}


def test_a_fault_of_ones_own_has_no_means_until_it_registers_some():
    """From outside, by its class; its subclasses have them too, and nobody else."""

    class Mine(FakeFault):
        """A third party's fault."""

    class Other(FakeFault):
        """Another one."""

    assert means(Mine()) == "ChaosBlade has no fake_fault"
    assert manifest(Mine(), "app") is None
    means.register(Mine, lambda fault: Create(words=("process", "stop", "--pid", "{pid}")))
    manifest.register(Mine, lambda fault, target: {"kind": "PodChaos", "spec": {"selector": target}})
    assert means(Mine()).words[1] == "stop"
    assert manifest(Mine(), "app") == {"kind": "PodChaos", "spec": {"selector": "app"}}
    assert (means(Other()), manifest(Other(), "app")) == ("ChaosBlade has no fake_fault", None)


def test_chaos_mesh_kills_again_and_again_by_a_schedule():
    """As often as a pod can come back; without a limit to its history a Schedule may stop by itself."""
    form = manifest(faults.KillService(period_s=3, away_s=1.5), "cart")
    spec = form["spec"]
    assert (form["kind"], spec["schedule"], spec["type"]) == ("Schedule", "@every 3s", "PodChaos")
    assert (spec["historyLimit"], spec["podChaos"]["action"]) == (1, "pod-kill")


def test_all_three_are_on_offer():
    """By their names, without a cluster."""
    assert set(catalog.offers("injectors")) == {"native", "chaosblade", "chaos_mesh"}


def test_each_of_anomods_manifests_has_its_scenario_and_its_resource():
    """Nine of them, by the kinds that theirs have; what was no fault of theirs stays out."""
    file = Path(__file__).parents[2] / "experiments" / "chaos_mesh" / "test_train_ticket.py"
    made_true = runpy.run_path(str(file))["MADE_TRUE"]
    kinds = {name: manifest(fault, target)["kind"] for name, fault, target in made_true}
    assert kinds == {
        "lv_p_cpu_preserve": "StressChaos",
        "lv_p_diskio_preserve": "IOChaos",
        "lv_p_netloss_preserve": "NetworkChaos",
        "lv_s_dnsfail_preserve_no_order": "DNSChaos",
        "lv_s_httpabort_preserve": "HTTPChaos",
        "lv_s_killpod_preserve": "Schedule",
        "lv_d_cachelimit": "StressChaos",
        "lv_d_connection_pool_exhaustion": "NetworkChaos",
        "lv_d_transaction_timeout": "NetworkChaos",
    }
