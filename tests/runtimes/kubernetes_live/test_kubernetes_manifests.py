"""Other people's manifests: brought up in a namespace of ours, or running in theirs, where they stay as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.runtime import instance_of, need
from pytest_anomod.runtimes.docker.image import image_name
from pytest_anomod.runtimes.kubernetes import manifests
from pytest_anomod.runtimes.kubernetes.api import path_of
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime
from pytest_anomod.safety import guardian, sessions


@pytest.fixture
def shop(tmp_path):
    """The manifest of a small system, with an image that the node has."""
    text = Path(__file__).with_name("shop.yaml").read_text().replace("IMAGE", image_name())
    file = tmp_path / "shop.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def session(api, tmp_path, monkeypatch):
    """A session of ours, of which nothing is left to undo in the end."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    made = sessions.new_session(tmp_path, "run", "gw0")
    guardian.ensure_guardian(made.directory)
    yield made
    assert sessions.end_session(made) == ()


def test_manifests_come_up_in_a_namespace_of_ours(shop, session, ours):
    """Services by the names of their Services, with what was found of them; killed, stopped and started again."""
    system = kubernetes_system(shop, name="k8s_shop")
    told = [(one.name, one.calls, one.port) for one in system.services]
    assert told == [("web", ("cache",), 80), ("cache", (), 8081)]
    runtime = KubernetesRuntime()
    deployment = runtime.up(system, session)
    try:
        states = {one.instance_id: one.state for one in deployment.instances()}
        assert states == {"web-1": "running", "cache-1": "running"}
        web = need(deployment, Lifecycle, "web")
        web.kill()
        web.start()
        assert instance_of(deployment, "web").instance_id == "web-2"
        cache = need(deployment, Lifecycle, "cache")
        cache.stop()
        assert instance_of(deployment, "cache").state == "stopped"
        cache.start()
        said = deployment.directory / "logs" / "web.log"
        clock.wait_until(lambda: "GET / HTTP" in said.read_text(), timeout_s=10, what="the log of the page")
    finally:
        runtime.down(deployment)
    assert ours() == []


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
            lambda: [pod["status"]["phase"] for pod in api.get(found)["items"]] == ["Running"] * 2,
            timeout_s=60, what="their pods",
        )  # fmt: skip
        before = {pod["metadata"]["uid"] for pod in api.get(found)["items"]}
        deployment = runtime.up(system, session)
        assert deployment.capability(Lifecycle, "web") is None
        assert deployment.unhealthy() == ()
        runtime.down(deployment)
        assert {pod["metadata"]["uid"] for pod in api.get(found)["items"]} == before
    finally:
        api.delete(f"{path}/theirs")


def test_a_manifest_that_asks_for_more_is_refused(tmp_path):
    """What belongs to the whole cluster is not made in a namespace."""
    (tmp_path / "role.yaml").write_text(yaml.safe_dump({"kind": "ClusterRole", "metadata": {"name": "all"}}))
    with pytest.raises(Exception, match="ClusterRole 'all' can't be brought up in a namespace of ours"):
        kubernetes_system(tmp_path, name="k8s_more")
