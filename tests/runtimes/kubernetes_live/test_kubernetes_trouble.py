"""What goes wrong with clusters: one line each that says what to do, and nothing stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pytest_anomod.host import cluster
from pytest_anomod.model.catalog import find
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.runtimes.kubernetes import runtime
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime
from pytest_anomod.safety import guardian, sessions


@pytest.fixture
def up(session):
    """Brings SocialNetwork up as far as it goes."""
    return lambda: KubernetesRuntime().up(find("systems", "social_network"), session)


def test_an_image_that_is_nowhere(up, monkeypatch):
    """The image is named, with the kubelet's words."""
    monkeypatch.setenv("ANOMOD_KUBE_IMAGE", "localhost/nothing:1")
    with pytest.raises(DeploymentError, match=r"of 'host': its image can't be pulled \(localhost/nothing:1\)"):
        up()


def test_a_namespace_whose_quota_is_used_up(api, up, monkeypatch):
    """The namespace is somebody's: it stays, and nothing of ours in it."""
    path = "/api/v1/namespaces"
    api.create(path, {"metadata": {"name": "small"}})
    try:
        quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/services": "3"}}}
        api.create(f"{path}/small/resourcequotas", quota)
        monkeypatch.setenv(cluster.NAMESPACE, "small")
        with pytest.raises(DeploymentError, match="exceeded quota: few"):
            up()
        assert api.get(f"{path}/small/services")["items"] == []
        assert api.get(f"{path}/small/secrets")["items"] == []
    finally:
        api.delete(f"{path}/small")


@pytest.mark.parametrize(
    ("user", "server", "said"),
    [
        ({"token": "expired"}, None, "does not know us"),
        (None, "https://127.0.0.1:1", "the API server does not answer"),
    ],
)
def test_a_cluster_that_does_not_take_us(api, tmp_path, monkeypatch, user, server, said):
    """Said at collection, before anything is made."""
    files = cluster.place()["kubeconfig"]
    with open(files) as file:
        config = yaml.safe_load(file)
    if user is not None:
        config["users"][0]["user"] = user
    if server is not None:
        config["clusters"][0]["cluster"]["server"] = server
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with pytest.raises(ScenarioError, match=said):
        KubernetesRuntime().check()


def test_what_an_api_server_that_was_away_left_is_removed_later(api, ours, tmp_path, monkeypatch):
    """Taking it down fails in one line and stays on record; once the server answers, the same is done."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    session = sessions.new_session(tmp_path, "run", "gw0")
    guardian.ensure_guardian(session.directory)
    kubeconfig = tmp_path / "kubeconfig"
    answering = Path(cluster.place()["kubeconfig"]).read_text()
    kubeconfig.write_text(answering)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    system = find("systems", "social_network")
    deployment = runtime._prepare(system, session, cluster.place())
    deployment.undo.record({"op": "deployment", "ref": dict(deployment.ref)})
    runtime._make_namespace(deployment)
    kubeconfig.write_text(answering.replace(":6443", ":1"))
    cluster._connected.cache_clear()
    said = sessions.end_session(session)
    assert "could not undo deployment of 'social_network'" in said[0]
    assert "the API server does not answer" in said[0]
    assert session.directory.exists()
    kubeconfig.write_text(answering)
    cluster._connected.cache_clear()
    assert sessions.end_session(session)[0].startswith("took down deployment of 'social_network'")
    assert ours() == []
