"""The cluster of the tests of the runtime kubernetes: `tox run -e kubernetes` puts them inside one of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pytest_anomod.host import cluster
from pytest_anomod.runtimes.docker import image
from pytest_anomod.runtimes.kubernetes.api import DEPLOYMENT, Api
from pytest_anomod.safety import guardian, sessions


@pytest.fixture(scope="session")
def api():
    """The API server of the cluster, whose node has our image; skipped elsewhere, lest somebody's own be used."""
    if not os.environ.get("ANOMOD_KUBERNETES_TESTS"):
        pytest.skip("no cluster for tests: tox run -e kubernetes")
    if os.environ.get("CONTAINERD_ADDRESS"):
        file = image.save(None, lambda line: None)
        subprocess.run(["ctr", "images", "import", str(file)], check=True, stdout=subprocess.DEVNULL)
    return Api(cluster.place())


@pytest.fixture
def ours(api):
    """A function: names of namespaces of ours in the cluster."""
    path = "/api/v1/namespaces"
    return lambda: [found["metadata"]["name"] for found in api.get(path, labelSelector=DEPLOYMENT)["items"]]


@pytest.fixture
def session(api, ours, tmp_path, monkeypatch):
    """A session of ours, ended however its test ends; nothing of it is left in the cluster, nor to undo."""
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    made = sessions.new_session(tmp_path, "run", "gw0")
    guardian.ensure_guardian(made.directory)
    yield made
    assert sessions.end_session(made) == ()
    assert ours() == []


@pytest.fixture
def shop(tmp_path):
    """The manifest of a small system, with an image that the node has."""
    text = Path(__file__).with_name("shop.yaml").read_text().replace("IMAGE", image.image_name())
    file = tmp_path / "shop.yaml"
    file.write_text(text)
    return file
