"""Importing is tested as on a machine without a container engine, wherever the tests run."""

from __future__ import annotations

import pytest
from without_engine import no_container_engine

from pytest_anomod.importers.found import Aims
from pytest_anomod.model import catalog


@pytest.fixture(autouse=True)
def no_engine():
    """Runtimes of containers are not there."""
    with no_container_engine():
        yield


@pytest.fixture(scope="session")
def aims_for():
    """The system that the labels of a file in files/ name."""
    train_ticket, social_network = (Aims(system=catalog.find("systems", n)) for n in ("train_ticket", "social_network"))
    return lambda name: social_network if "redis" in name else train_ticket
