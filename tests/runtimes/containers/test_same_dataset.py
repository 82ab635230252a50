"""The same scenario on processes and in containers: datasets of one schema, with one set of names."""

from __future__ import annotations

import pytest
from same_dataset import (
    cases_of,
    test_the_columns_are_the_same,
    test_the_names_are_the_same,
    test_what_services_say_often_has_the_same_names,
)

__all__ = [
    "test_the_columns_are_the_same", "test_the_names_are_the_same", "test_what_services_say_often_has_the_same_names"
]  # fmt: skip


@pytest.fixture(scope="module")
def cases(engine, tmp_path_factory):
    """One case on processes and one in containers."""
    return cases_of("docker", tmp_path_factory)
