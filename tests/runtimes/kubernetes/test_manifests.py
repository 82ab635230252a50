"""What is read out of manifests, and what is made of them for a namespace of ours."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.model.capability import Listener, Programs
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.runtimes.kubernetes import manifests, runtime
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime
from pytest_anomod.runtimes.kubernetes.ways import REACH

pytestmark = pytest.mark.usefixtures("nothing_registered")


def workload(name, image, *, kind="Deployment", labels=None, **container):
    labels = labels or {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": image, **container}]}}
    return {"kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": {"template": template}}


def service(name, labels, *ports):
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": labels, "ports": list(ports)}}


SHOP = [
    workload("front", "shop/front:1", env=[{"name": "REDIS_URL", "value": "redis://cache:6379/0"}]),
    service("web", {"app": "front"}, {"port": 80, "targetPort": 8080}),
    workload("cache-v2", "redis:7", kind="StatefulSet", labels={"app": "cache", "version": "2"}),
    service("cache", {"app": "cache"}, {"port": 6379}),
    {"kind": "Namespace", "metadata": {"name": "shop"}},
]


@pytest.fixture
def files(tmp_path):
    """The shop as a folder: one file of several documents, and a list in JSON."""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all(SHOP[:3]))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "b.json").write_text(json.dumps({"kind": "List", "items": SHOP[3:]}))
    return tmp_path


def test_services_are_found_by_the_services_that_lead_to_their_pods(files):
    """Names that others call them by, what they run, and whom they are told of."""
    system = kubernetes_system(files, name="k8s_of_files")
    found = {one.name: (one.engine, one.port, one.calls, str(one.kind)) for one in system.services}
    assert found == {"web": ("http", 80, ("cache",), "gateway"), "cache": ("redis", 6379, (), "cache")}
    assert system.entry == "web"


def test_what_is_brought_up_is_labelled_and_goes_where_we_say(files):
    """Their namespace is not taken over; what others need is made before them."""
    placed = manifests.placed(manifests.read([str(files)]), "d1")
    assert [kind for kind, _ in placed] == ["Service", "Service", "Deployment", "StatefulSet"]
    front = placed[2][1]
    assert "namespace" not in front["metadata"]
    assert front["metadata"]["labels"] == {DEPLOYMENT: "d1"}
    assert front["spec"]["template"]["metadata"]["labels"] == {"app": "front", DEPLOYMENT: "d1"}
    assert DEPLOYMENT not in SHOP[0]["spec"]["template"]["metadata"]["labels"]


def test_claims_that_a_stateful_set_makes_go_with_it():
    """Not when it is scaled to nothing: a service that was stopped has its data again."""
    cache = copy.deepcopy(SHOP[2])
    cache["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}}]
    ((_, with_claims), (_, without)) = manifests.placed([cache, SHOP[2]], "d1")
    policy = with_claims["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert policy == {"whenDeleted": "Delete", "whenScaled": "Retain"}
    assert "persistentVolumeClaimRetentionPolicy" not in without["spec"]


def test_what_can_not_be_read_is_named(tmp_path):
    """A file that is none, and one that is no YAML."""
    with pytest.raises(DeploymentError, match=r"nothing\.yaml can't be read: No such file"):
        manifests.read([str(tmp_path / "nothing.yaml")])
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(DeploymentError, match=r"bad\.yaml is no YAML: .*line 1"):
        manifests.read([str(tmp_path)])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "say either the paths of manifests or namespace="),
        ({"namespace": "shop"}, "has no service: say pods="),
        (
            {"namespace": "shop", "pods": {"web": {"app": "front"}}, "ports": {"wbe": 1}},
            "no service 'wbe', which ports",
        ),
        (
            {"namespace": "shop", "pods": {"web": {"app": "front"}}, "otlp": ["web"]},
            "otlp= is for manifests: what runs in a namespace already is not told where to export",
        ),
    ],
)
def test_a_definition_that_can_not_work_is_refused(words, said):
    """With what is to be said instead."""
    with pytest.raises(ScenarioError, match=said):
        kubernetes_system(name="k8s_bad", **words)


def test_what_is_not_ours_gets_faults_that_leave_no_trace():
    """Others must be allowed by name; and without that nothing can be killed."""
    pods = {"web": {"app": "front"}}
    system = kubernetes_system(name="k8s_theirs", namespace="shop", pods=pods)
    allowed = kubernetes_system(name="k8s_allowed", namespace="shop", pods=pods, allow=["kill_service"])
    runtime = KubernetesRuntime()
    assert "allow it by kubernetes_system" in runtime.refusal_of_fault(system, "web", "kill_service")
    assert runtime.refusal_of_fault(system, "web", "http_abort") == ""
    assert runtime.refusal_of_fault(allowed, "web", "kill_service") == ""


def test_a_service_has_a_listener_only_where_callers_come_by_an_address(files, tmp_path, monkeypatch):
    """Faults by a relay are refused at collection where there is no Service, none with an address, or no way to it."""
    headless = {"kind": "Service", "metadata": {"name": "db"}, "spec": {"selector": {"app": "db"}, "clusterIP": "None"}}
    more = [workload("db", "postgres:16"), headless, workload("worker", "shop/worker:1")]
    (tmp_path / "more.yaml").write_text(yaml.safe_dump_all(more))
    system = kubernetes_system(files, name="k8s_listeners", entry="web")

    def lacking():
        needs = frozenset({Listener, Programs})
        return [one.name for one in system.services if KubernetesRuntime().lacks(system, one.name, needs) == {Listener}]

    assert lacking() == ["db", "worker"]
    monkeypatch.setenv(REACH, "forward")
    assert lacking() == ["web", "cache", "db", "worker"]


def test_a_service_in_their_namespace_has_a_listener_if_its_address_is_reached(fake, monkeypatch):
    """The API server is asked for it, and then it is tried."""
    monkeypatch.setattr(runtime, "is_routed", lambda address: address == ("10.0.0.1", 80))
    items = [service(name, {"app": name}, {"port": 80}) for name in ("front", "far")]
    for number, one in enumerate(items, 1):
        one["spec"]["clusterIP"] = f"10.0.0.{number}"
    fake.answers["GET /api/v1/namespaces/shop/services"] = {"items": items}
    pods = {"web": {"app": "front"}, "db": {"app": "db"}, "far": {"app": "far"}}
    system = kubernetes_system(name="k8s_asked", namespace="shop", pods=pods, calls={"web": ["db", "far"]})
    lacks = [KubernetesRuntime().lacks(system, name, frozenset({Listener})) for name in pods]
    assert lacks == [frozenset(), {Listener}, {Listener}]
