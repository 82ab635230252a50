"""What tests of several parts share: how workers share files out, pytest inside pytest, a home of the fake blade."""

from __future__ import annotations

import os
import signal

import pytest

# a run of pytest inside a test forgets the modules that it was the first to import; those in which the catalog looks
# faults up must be the same ones before and after
import pytest_anomod.faults
import pytest_anomod.systems  # noqa: F401

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell ignores Ctrl-C on behalf of what it starts in the background; tests of it must reach their programs
    signal.signal(signal.SIGINT, signal.default_int_handler)


# of each pytest that a test starts, more than half of the time went into plugins of libraries that none of them uses
CHEAP = "-p no:schemathesis -p no:hypothesispytest"
os.environ["PYTEST_ADDOPTS"] = CHEAP


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files, in order, the slow ones of tests/acceptance first: tests of a file share a system and its state."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


@pytest.fixture
def pytester(pytester, monkeypatch):
    """Runs of pytest inside tests mean processes, whatever engine is here, unless they say otherwise."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"--anomod-runtime=process {CHEAP}")
    return pytester


@pytest.fixture
def blade_home(tmp_path, monkeypatch):
    """A home of the fake blade, chosen by the environment as a user would."""
    from injectors.blade_home import make_home

    home = make_home(tmp_path / "kit")
    monkeypatch.setenv("ANOMOD_BLADE_HOME", str(home))
    return home


@pytest.fixture
def nothing_registered(monkeypatch):
    """What a test registers, or a conftest.py that it has read, is forgotten after it."""
    from pytest_anomod.model import catalog

    monkeypatch.setattr(catalog, "_registered", {})
    monkeypatch.setattr(catalog, "_looked_into", set())
    monkeypatch.setenv(catalog.DEFINED_IN, "")
    yield
    catalog.offers.cache_clear()


@pytest.fixture(autouse=True)
def _calm_machine(request, monkeypatch):
    """What is tested here is our code, not the machine: to cases played in this process it looks calm."""
    if "busy_machine" not in request.fixturenames:
        from pytest_anomod.host.pressure import Pressure

        monkeypatch.setattr(Pressure, "too_busy", False)
