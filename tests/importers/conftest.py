"""Importing is tested as on a machine without a container engine, wherever the tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_anomod.importers import fit
from pytest_anomod.importers.found import Aims
from pytest_anomod.model import catalog

FILES = Path(__file__).parent / "files"


@pytest.fixture(autouse=True)
def no_engine(monkeypatch):
    """Runtimes of containers are not there."""
    monkeypatch.setattr(fit, "_absent", lambda name: "no engine answers" if name in fit.CONTAINERS else "")


@pytest.fixture(scope="session")
def aims_for():
    """The system that the labels of a file in files/ name."""
    train_ticket, social_network = (Aims(system=catalog.find("systems", n)) for n in ("train_ticket", "social_network"))
    return lambda name: social_network if "redis" in name else train_ticket
