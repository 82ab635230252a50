"""Nobody's home is needed: whoever has none has no files there, and caches in the state directory."""

from __future__ import annotations

import pwd

import pytest

from pytest_anomod.agents import cache
from pytest_anomod.host import cluster
from pytest_anomod.host.home import cache_directory, home
from pytest_anomod.model.errors import DeploymentError, ScenarioError
from pytest_anomod.workloads import evomaster


@pytest.fixture(params=["no home", "a home that can't be"])
def homeless(request, monkeypatch, tmp_path):
    """The state directory of a user without a name and without HOME, or whose HOME is below a file."""

    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", cache.PLACE, evomaster.JAR):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path / "state"))
    if request.param != "no home":
        (tmp_path / "file").touch()
        monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    return tmp_path / "state"


def test_caches_are_in_the_state_directory(homeless):
    assert cache_directory() == homeless / "cache"
    assert cache.root() == homeless / "cache" / "agents"
    assert evomaster.cache_folder() == homeless / "cache" / "suites"


def test_what_a_home_would_have_is_not_there(homeless):
    with pytest.raises(DeploymentError, match=r"there is no kubeconfig .*; set KUBECONFIG"):
        cluster.place()
    with pytest.raises(ScenarioError, match="there is no EvoMaster on this machine"):
        evomaster.find()


def test_a_home_has_the_cache_unless_another_was_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert home() == tmp_path
    assert cache_directory() == tmp_path / ".cache" / "pytest-anomod"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "chosen"))
    assert cache_directory() == tmp_path / "chosen" / "pytest-anomod"
