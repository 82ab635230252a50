"""Systems in a namespace that was given: what is ours goes, what is theirs is put back, whatever is in the way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.faults import HttpAbort
from pytest_anomod.model.capability import Lifecycle, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import need
from pytest_anomod.runtimes.kubernetes import manifests, others_boot, telemetry
from pytest_anomod.runtimes.kubernetes import others as theirs
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, path_of
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime

PODS, SERVICE = "/api/v1/namespaces/n/pods", "/api/v1/namespaces/n/services/web"
RUNS = {
    "metadata": {"uid": "u", "name": "web-1", "labels": {"app": "web"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
    "status": {
        "containerStatuses": [
            {
                "name": "main", "restartCount": 0, "started": True,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }
        ]
    },
}  # fmt: skip
DOCUMENTS = [{"kind": kind, "metadata": {"name": "web"}} for kind in ("ConfigMap", "Service", "Deployment")]


def make(fake, *kinds):
    """One object of ours in each collection of these kinds; others may not be listed. Pods are gone at once."""
    for kind, (version, collection) in manifests.COLLECTIONS.items():
        path = path_of(version, collection, "n")
        found = {"items": [{"metadata": {"name": "web"}}]} if kind in kinds else (403, f"cannot list {collection}")
        fake.answers[f"GET {path}"] = found
        fake.answers[f"DELETE {path}/web"] = {}
    fake.answers[f"GET {PODS}"] = {"items": []}


def deleted(fake):
    return [what.split("/")[-2] for what, _ in fake.asked if what.startswith("DELETE") and what.endswith("/web")]


def test_manifests_are_taken_down_with_the_rights_that_doctor_prints(fake, others):
    """Only kinds that were made are asked for, and workloads go first."""
    make(fake, "ConfigMap", "Secret", "Service", "Deployment")
    others.ref["kinds"] = manifests.kinds_of(DOCUMENTS)
    KubernetesRuntime().down(others)
    assert deleted(fake)[0] == "deployments"
    assert sorted(deleted(fake)) == ["configmaps", "deployments", "secrets", "services"]
    assert not others.directory.exists()


def test_what_may_not_be_taken_down_is_said_and_the_others_go(fake, others):
    """One kind that is refused keeps none of the others."""
    make(fake, "ConfigMap", "Secret", "Service", "Deployment")
    others.ref["kinds"] = manifests.kinds_of([*DOCUMENTS, {"kind": "StatefulSet"}])
    with pytest.raises(DeploymentError, match=r"not all of 'shop' is gone from namespace 'n': .*cannot list stateful"):
        KubernetesRuntime().down(others)
    assert sorted(deleted(fake)) == ["configmaps", "deployments", "secrets", "services"]


@pytest.mark.usefixtures("nothing_registered")
def test_who_may_not_list_stateful_sets_is_told(fake, others):
    """A service of pods without a Deployment comes up all the same; it can't be stopped, and a note says why."""
    system = kubernetes_system(name="k8s_rights", namespace="n", pods={"web": {"app": "web"}})
    make(fake, "Service", "Deployment")
    fake.answers[f"GET {path_of('apps/v1', 'deployments', 'n')}"] = {"items": []}
    fake.answers["GET /api/v1/namespaces/n/services"] = {"items": []}
    fake.answers[f"GET {PODS}"] = {"items": [{**RUNS, "spec": {"containers": [{"name": "main"}]}}]}
    boot = others_boot.OthersBoot(others, system)
    assert boot._row(system.services[0])["workload"] is None
    (note,) = boot.unseen.values()
    assert note.startswith("the StatefulSets of 'k8s_rights' can't be seen, so none can be stopped: GET ")


def test_a_relay_that_gives_no_answer_is_removed(fake, others):
    """The Service leads to its own pods again before the relay goes."""
    service = {"spec": {"selector": {DEPLOYMENT: "d1"}}}

    def patch(sent):
        selector = {**service["spec"]["selector"], **sent["spec"]["selector"]}
        service["spec"]["selector"] = {key: value for key, value in selector.items() if value is not None}
        return service

    fake.answers |= {
        f"GET {SERVICE}": lambda _: service,
        f"PATCH {SERVICE}": patch,
        "GET /apis/apps/v1/namespaces/n/deployments/anomod-relay-web": {},
        "GET /api/v1/namespaces/n/services/anomod-relay-web": {"spec": {"clusterIP": "127.9.9.9"}},
        f"GET {PODS}": {"items": [RUNS]},
    }
    others.originals.remember("selector of web", {"app": "web"})
    argv = [sys.executable, "-I", "-S", str(Path(__file__))]
    with pytest.raises(DeploymentError, match="gives no answer to 'run'"):
        need(others, Programs, "web").run(argv, name="relay", deadline_s=1.0)
    HttpAbort(percent=100).recover(others, "web")
    assert service["spec"]["selector"] == {"app": "web"}
    changes = [what for what, _ in fake.asked if not what.startswith("GET")]
    assert changes[0] == f"PATCH {SERVICE}"
    assert "DELETE /apis/apps/v1/namespaces/n/deployments/anomod-relay-web" in changes
    assert others.originals.recall("selector of web") is None


def test_a_service_is_seen_to_be_back_after_the_end_of_its_watcher(fake, others, monkeypatch):
    """As when its owner was killed: the cluster is asked, not the file that says what was."""
    monkeypatch.setattr(theirs, "BACK_WITHIN_S", 0.5)
    path = "/apis/apps/v1/namespaces/n/deployments/web"
    fake.answers |= {f"PATCH {path}": {}, f"GET {path}": {"spec": {"replicas": 3}}, f"GET {PODS}": {"items": [RUNS]}}
    others.originals.remember("replicas of web", 3)
    need(others, Lifecycle, "web").start()
    assert (f"PATCH {path}", {"spec": {"replicas": 3}}) in fake.asked
    assert others.originals.recall("replicas of web") is None
    (instance,) = others.instances()
    assert (instance.state, instance.start_time) == ("running", 1767225600.0)


def test_two_workers_have_two_sinks_in_one_namespace(fake, others):
    """Their names begin as all else of the deployment does."""
    for version, kind in (("v1", "secrets"), ("v1", "configmaps"), ("apps/v1", "deployments")):
        fake.answers[f"POST {path_of(version, kind, 'n')}"] = {}
    fake.answers["POST /api/v1/namespaces/n/services"] = {"spec": {"clusterIP": "10.0.0.8"}}
    receiver, address, _ = telemetry.bring_up(others, "")
    receiver.close()
    assert address == "10.0.0.8"
    names = [sent["metadata"]["name"] for what, sent in fake.asked]
    assert len(names) == 4
    assert all(name.startswith("a1-anomod-otlp") for name in names)
