"""What tests of several parts share: how workers share files out, pytest inside pytest, a home of the fake blade."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files, in order, the slow ones of tests/acceptance first: tests of a file share a system and its state."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def _faults():
    """All faults, imported: pytester forgets what an inner run imports first, and the catalog keeps classes of it."""
    from pytest_anomod.model import catalog

    catalog.offers("faults")


@pytest.fixture
def pytester(_faults, pytester, monkeypatch):
    """Runs of pytest inside tests mean processes, whatever engine is here, unless they say otherwise."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--anomod-runtime=process")
    return pytester


@pytest.fixture
def blade_home(tmp_path, monkeypatch):
    """A home of the fake blade, chosen by the environment as a user would."""
    from injectors.blade_home import make_home

    home = make_home(tmp_path / "kit")
    monkeypatch.setenv("ANOMOD_BLADE_HOME", str(home))
    return home
