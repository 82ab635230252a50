"""One booted TrainTicket replica for all conformance tests of a session."""

from collections.abc import Iterator

import pytest
from tt_system import System, booted


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A seeded system; tests use rows of their own or put back what they change."""
    with booted(tmp_path_factory.mktemp("tt"), "--seed", "3") as up:
        yield up
