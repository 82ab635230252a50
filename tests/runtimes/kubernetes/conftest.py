"""A cluster that is played by a fake API server, and a deployment in it of which nothing runs."""

from __future__ import annotations

import json

import pytest
from fake_api import FakeApi

from pytest_anomod.runtimes.kubernetes import groups
from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The API server that KUBECONFIG names."""
    api = FakeApi(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
    monkeypatch.delenv("ANOMOD_KUBE_NAMESPACE", raising=False)
    groups.refusal.cache_clear()
    yield api
    api.server.shutdown()
    api.server.server_close()


@pytest.fixture
def deployment(fake, tmp_path):
    """Of three services, as another process attaches to it; `sees` says what its watcher saw."""
    for folder in ("undo", "logs", "spans"):
        (tmp_path / folder).mkdir()
    services = {
        name: {
            "kind": "app", "log_format": "json", "agent_url": None, "port": 80, "host": "10.0.0.9",
            "inner": ["10.0.0.9", 80], "inside": ["10.0.0.9", 19_999],
        }
        for name in ("cart", "stock", "other")
    }  # fmt: skip
    (tmp_path / "deployment.json").write_text(json.dumps({"services": services}))
    ref = {
        "system": "shop", "directory": str(tmp_path), "undo": str(tmp_path / "journal"), "tag": "t", "id": "d1",
        "place": fake.place, "namespace": "n", "prefix": "", "token_file": str(tmp_path / "token"), "image": "i",
    }  # fmt: skip
    (tmp_path / "token").write_text("word")
    made = KubernetesDeployment(ref)

    def sees(error="", away_since_ns=0, services=("cart",)):
        row = {"uid": "a/0", "ip": "10.1.0.1", "state": "running", "began": 1.0, "why": ""}
        rows = {name: {**row, "pod": f"{name}-a"} for name in services}
        numbers = dict.fromkeys(services, 1)
        said = {"error": error, "away_since_ns": away_since_ns, "services": rows, "numbers": numbers}
        (tmp_path / "undo" / "pods.json").write_text(json.dumps(said))

    sees()
    made.sees = sees
    return made
