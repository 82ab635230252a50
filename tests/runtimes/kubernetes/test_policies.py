"""A partition by NetworkPolicy: as long as the network plugin enforces it, which is looked at from inside."""

from __future__ import annotations

import pytest

from pytest_anomod.faults import NetworkPartition
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.runtimes.kubernetes import policies
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime

PATH = "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies"
ONE = f"{PATH}/anomod-partition-cart"
REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
FAULT = NetworkPartition(peers=("stock",))
SYSTEM = System(
    name="shop", entry="cart", journeys=(),
    services=(
        Service(name="cart", kind=ServiceKind.APP, calls=("stock",)), Service(name="stock", kind=ServiceKind.APP)
    ),
)  # fmt: skip


@pytest.fixture
def plugin(fake, deployment, monkeypatch, tmp_path):
    """A network plugin in a dict: whether it enforces, and the policy that there is."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(policies, "ENFORCED_WITHIN_S", 0.2)
    made = {"enforces": True, "policy": None}
    deployment.sees(services=("cart", "stock", "other"))

    def create(sent):
        made["policy"] = sent
        fake.answers[f"GET {ONE}"] = sent
        return sent

    def delete(_):
        return {} if fake.answers.pop(f"GET {ONE}", None) else (404, "not found")

    def ask(service, do, **words):
        assert (service, do) == ("cart", "reaches")
        cut = {"stock"} if made["enforces"] and f"GET {ONE}" in fake.answers else set()
        return [name for name, _, _ in words["addresses"] if name not in cut]

    fake.answers |= {f"POST {PATH}": create, f"DELETE {ONE}": delete}
    fake.answers[REVIEW] = lambda review: {**review, "status": {"allowed": True}}
    monkeypatch.setattr(deployment, "ask", ask)
    return made


def test_a_policy_is_seen_to_cut_the_peers_off_and_nobody_else(deployment, plugin):
    """It lets through all pods but the peers, and all addresses but theirs; then it is gone."""
    assert NativeInjector().refusal(FAULT, "cart", SYSTEM, KubernetesRuntime()) == ""
    assert not FAULT.active(deployment, "cart")
    FAULT.inject(deployment, "cart")
    assert FAULT.active(deployment, "cart").evidence == {
        "policy": True, "reached": [], "still_reached": ["other"]
    }  # fmt: skip
    (rule,) = plugin["policy"]["spec"]["egress"]
    assert rule["to"][0]["podSelector"]["matchExpressions"][0]["values"] == ["stock"]
    assert rule["to"][1]["ipBlock"]["except"] == ["10.0.0.9/32", "10.1.0.1/32"]
    FAULT.recover(deployment, "cart")
    assert not FAULT.active(deployment, "cart")


def test_a_plugin_that_does_not_enforce_it_is_found_out_and_remembered(deployment, plugin):
    """The API server takes it all the same; the policy is gone then, and the next test is refused at collection."""
    runtime = KubernetesRuntime()
    assert runtime.refusal_of_fault(SYSTEM, "cart", "network_partition") == ""
    plugin["enforces"] = False
    with pytest.raises(DeploymentError, match=r"does not enforce NetworkPolicy: .*'cart' still reaches stock"):
        FAULT.inject(deployment, "cart")
    assert not policies.PodPolicy(deployment, "cart").is_closed()
    assert "does not enforce NetworkPolicy, as was seen" in runtime.refusal_of_fault(
        SYSTEM, "cart", "network_partition"
    )


def test_a_policy_can_not_refuse():
    """It drops; who wants to be refused needs rules in the pod's own network."""
    fault = NetworkPartition(peers=("stock",), how="reject")
    assert "needs NetNamespace" in NativeInjector().refusal(fault, "cart", SYSTEM, KubernetesRuntime())
