"""An account with the Role that `anomod doctor --kubernetes` prints, and nothing else, in a namespace it is given."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import yaml

from pytest_anomod.define.kubernetes import kubernetes_system
from pytest_anomod.faults import HttpAbort
from pytest_anomod.host import cluster
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle
from pytest_anomod.model.catalog import find
from pytest_anomod.model.runtime import need
from pytest_anomod.runtimes.kubernetes import rights
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, path_of
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime
from pytest_anomod.runtimes.kubernetes.ways import REACH

pytestmark = pytest.mark.usefixtures("nothing_registered")
RBAC = "rbac.authorization.k8s.io/v1"
TOKEN_S = 3600


@pytest.fixture
def account(api, tmp_path):
    """A namespace and the kubeconfig of an account in it; the namespace goes in the end."""
    namespace = f"given-{secrets.token_hex(3)}"  # the last one may be going still
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    api.create(path_of("v1", "serviceaccounts", namespace), {"metadata": {"name": "ci"}})
    role = rights.manifest(namespace)
    api.create(path_of(RBAC, "roles", namespace), role)
    api.create(
        path_of(RBAC, "rolebindings", namespace),
        {
            "metadata": {"name": "ci"},
            "roleRef": {"apiGroup": RBAC.split("/", 1)[0], "kind": "Role", "name": role["metadata"]["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": namespace}],
        },
    )
    asked = {"spec": {"expirationSeconds": TOKEN_S}}
    given = api.create(path_of("v1", "serviceaccounts", namespace, "ci") + "/token", asked)
    config = yaml.safe_load(Path(cluster.place()["kubeconfig"]).read_text())
    config["users"][0]["user"] = {"token": given["status"]["token"]}
    file = tmp_path / "account.yaml"
    file.write_text(yaml.safe_dump(config))
    yield namespace, file
    api.delete(f"/api/v1/namespaces/{namespace}")


@pytest.mark.parametrize("way", ["", "forward"])
def test_the_printed_role_is_enough(api, account, shop, session, monkeypatch, way):
    """For a system of somebody's own, a kill and, where Services are reached, a relay; nothing is left there."""
    namespace, file = account
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv(cluster.NAMESPACE, namespace)
    monkeypatch.setenv(REACH, way)
    place = cluster.place()
    assert rights.missing(place, namespace) == []
    assert not rights.may_make_namespaces(place)
    system = kubernetes_system(shop, name="k8s_given", entry="web")
    runtime, native = KubernetesRuntime(), find("injectors", "native")
    runtime.check()
    deployment = runtime.up(system, session)
    try:
        assert deployment.unhealthy() == ()
        web = need(deployment, Lifecycle, "web")
        web.kill()
        web.start()
        if not way:
            abort = HttpAbort(percent=100)
            native.prepare(abort, deployment, "web")
            native.inject(abort, deployment, "web")
            clock.wait_until(lambda: native.active(abort, deployment, "web"), timeout_s=20, what="the fault to be seen")
            native.recover(abort, deployment, "web")
        said = deployment.directory / "logs" / "web.log"
        clock.wait_until(lambda: "GET / HTTP" in said.read_text(), timeout_s=10, what="the log of the page")
    finally:
        runtime.down(deployment)
    for version, kind in (("v1", "pods"), ("v1", "services"), ("v1", "secrets"), ("apps/v1", "deployments")):
        path = path_of(version, kind, namespace)
        clock.wait_until(
            lambda path=path: not api.get(path, labelSelector=DEPLOYMENT)["items"],
            timeout_s=30, what=f"no {kind} of ours in {namespace}",
        )  # fmt: skip
