"""A cluster that is played by a fake API server, and a deployment in it of which nothing runs."""

from __future__ import annotations

import json
import os

import pytest
from fake_api import FakeApi

from pytest_anomod.host import processes
from pytest_anomod.runtimes.kubernetes import groups
from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment
from pytest_anomod.runtimes.kubernetes.others import OthersDeployment


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The API server that KUBECONFIG names."""
    api = FakeApi(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig))
    monkeypatch.delenv("ANOMOD_KUBE_NAMESPACE", raising=False)
    groups.refusal.cache_clear()
    yield api
    api.released.set()
    api.server.shutdown()
    api.server.server_close()


def is_followed(directory, pid):
    """Have a process pass for the watcher of a deployment."""
    row = {"service": "host", "name": "watcher", "pid": pid, "start_time": processes.start_time(pid), "undo_id": "w"}
    (directory / "undo" / "programs.json").write_text(json.dumps({"host/watcher": row}))


@pytest.fixture
def others(fake, tmp_path):
    """A system of somebody's manifests in a namespace that was given, whose watcher has ended."""
    directory = tmp_path / "others"
    (directory / "undo").mkdir(parents=True)
    web = {
        "kind": "app", "engine": "http", "labels": {"app": "web"}, "container": "main", "service": "web",
        "workload": ["Deployment", "web"], "inner": ["10.0.0.9", 80], "pod_port": 8080, "target": 8080,
        "probe": "alive", "probe_path": "/", "login": False, "forwarded": False, "host": "10.0.0.9", "port": 80,
    }  # fmt: skip
    (directory / "deployment.json").write_text(json.dumps({"services": {"web": web}, "allow": ["stop_service"]}))
    ref = {
        "system": "shop", "directory": str(directory), "undo": str(tmp_path / "journal"), "tag": "t", "id": "d1",
        "place": fake.place, "namespace": "n", "prefix": "a1-", "token_file": str(tmp_path / "token"), "image": "",
        "relay_image": "i", "ours": True,
    }  # fmt: skip
    (tmp_path / "token").write_text("word")
    return OthersDeployment(ref)


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
    is_followed(tmp_path, os.getpid())
    made = KubernetesDeployment(ref)

    def sees(error="", away_since_ns=0, services=("cart",)):
        row = {"uid": "a/0", "ip": "10.1.0.1", "state": "running", "began": 1.0, "why": ""}
        rows = {name: {**row, "pod": f"{name}-a"} for name in services}
        numbers = dict.fromkeys(services, 1)
        said = {"error": error, "away_since_ns": away_since_ns, "services": rows, "numbers": numbers}
        (tmp_path / "undo" / "pods.json").write_text(json.dumps(said))

    sees()
    made.sees = sees
    made.is_followed_by = lambda pid: is_followed(tmp_path, pid)
    return made
