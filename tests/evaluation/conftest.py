"""Datasets on disk, made once."""

import pytest
from cases import make_dataset, make_severities


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory):
    """Four faults at one service and two controls; don't change it."""
    return make_dataset(tmp_path_factory.mktemp("evaluation") / "dataset")


@pytest.fixture(scope="session")
def severities_dataset(tmp_path_factory):
    """Two faults at one service, each with severities 1 and 3; don't change it."""
    return make_severities(tmp_path_factory.mktemp("severities") / "dataset")
