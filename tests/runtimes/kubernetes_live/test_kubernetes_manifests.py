"""Other people's manifests: brought up in a namespace of ours, or running in theirs, where they stay as they were."""

from __future__ import annotations

import pytest
import yaml

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.faults import HttpAbort
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.catalog import find
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.model.source import OtlpInbox
from pytest_anomod.runtimes.kubernetes import manifests
from pytest_anomod.runtimes.kubernetes.api import path_of
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime
from pytest_anomod.sources.otlp.receiver import receiver_in

pytestmark = pytest.mark.usefixtures("nothing_registered")


def test_manifests_come_up_in_a_namespace_of_ours(api, shop, session):
    """Services by the names of their Services, with what was found of them; killed, stopped and started again."""
    system = kubernetes_system(shop, name="k8s_shop", entry="web", otlp=["clock"])
    told = [(one.name, one.calls, one.port) for one in system.services]
    assert told == [("web", ("cache",), 80), ("cache", (), 8081), ("clock", ("web",), 0)]
    runtime = KubernetesRuntime()
    deployment = runtime.up(system, session)
    try:
        states = {one.instance_id: one.state for one in deployment.instances()}
        assert states == {"web-1": "running", "cache-1": "running", "clock-1": "running"}
        web = need(deployment, Lifecycle, "web")
        web.kill()
        web.start()
        assert instance_of(deployment, "web").instance_id == "web-2"
        cache = need(deployment, Lifecycle, "cache")
        cache.stop()
        assert instance_of(deployment, "cache").state == "stopped"
        cache.start()
        _abort(api, deployment)
        names = {one["metadata"]["name"] for one in api.get(path_of("v1", "services", deployment.namespace))["items"]}
        assert names == {"web", "cache", "anomod-otlp"}
        inbox = next(source for source in deployment.sources() if isinstance(source, OtlpInbox))
        spans = receiver_in(inbox.directory).read("traces", 0, clock.now_ns()).rows
        assert {row[1] for row in spans} == {"clock"}
        said = deployment.directory / "logs" / "web.log"
        clock.wait_until(lambda: "GET / HTTP" in said.read_text(), timeout_s=10, what="the log of the page")
    finally:
        runtime.down(deployment)


def test_what_runs_in_a_namespace_of_its_owner_stays(api, shop, session):
    """It is taken hold of by its labels, and let go of; a pod is not killed unless its owner allows it."""
    path = "/api/v1/namespaces"
    api.create(path, {"metadata": {"name": "theirs"}})
    try:
        for kind, document in manifests.placed(manifests.read([str(shop)]), "theirs"):
            version, collection = manifests.COLLECTIONS[kind]
            api.create(path_of(version, collection, "theirs"), document)
        pods = {"web": {"app": "web"}, "cache": {"app": "cache"}}
        system = kubernetes_system(name="k8s_theirs", namespace="theirs", pods=pods, calls={"web": ["cache"]})
        runtime = KubernetesRuntime()
        assert "is not ours" in runtime.refusal_of_fault(system, "web", "kill_service")
        found = path_of("v1", "pods", "theirs")
        clock.wait_until(
            lambda: [pod["status"]["phase"] for pod in api.get(found)["items"]] == ["Running"] * 3,
            timeout_s=60, what="their pods",
        )  # fmt: skip
        before = {pod["metadata"]["uid"] for pod in api.get(found)["items"]}
        deployment = runtime.up(system, session)
        assert deployment.capability(Lifecycle, "web") is None
        assert deployment.unhealthy() == ()
        _abort(api, deployment)
        runtime.down(deployment)
        clock.wait_until(
            lambda: {pod["metadata"]["uid"] for pod in api.get(found)["items"]} == before,
            timeout_s=30, what="the pods that were there, and no other",
        )  # fmt: skip
    finally:
        api.delete(f"{path}/theirs")


def _abort(api, deployment):
    """Put a fault of HTTP into the page and take it out again: its Service is then what it was."""
    native, abort = find("injectors", "native"), HttpAbort(percent=100)
    service = path_of("v1", "services", deployment.namespace, "web")
    before = api.get(service)["spec"]
    native.prepare(abort, deployment, "web")
    native.inject(abort, deployment, "web")
    clock.wait_until(lambda: native.active(abort, deployment, "web"), timeout_s=20, what="the fault to be seen")
    native.recover(abort, deployment, "web")
    assert api.get(service)["spec"] == before


def test_a_manifest_that_asks_for_more_is_refused(tmp_path):
    """What belongs to the whole cluster is not made in a namespace."""
    (tmp_path / "role.yaml").write_text(yaml.safe_dump({"kind": "ClusterRole", "metadata": {"name": "all"}}))
    with pytest.raises(Exception, match="ClusterRole 'all' can't be brought up in a namespace of ours"):
        kubernetes_system(tmp_path, name="k8s_more")
