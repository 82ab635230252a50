"""A dataset on disk, made once."""

import pytest
from cases import make_dataset


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory):
    """Four faults at one service and two controls; don't change it."""
    return make_dataset(tmp_path_factory.mktemp("evaluation") / "dataset")
