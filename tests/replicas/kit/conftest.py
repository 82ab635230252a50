"""Deployments of the demo system for the tests that need one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Deployment


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for all tests that leave it as they found it."""
    made = Deployment(tmp_path_factory.mktemp("deployment"))
    yield made.wait()
    made.end()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Make a deployment of one's own, with options for the host; not waited for."""
    made: list[Deployment] = []

    def make(*options: str, **named: Any) -> Deployment:
        made.append(Deployment(tmp_path, *options, **named))
        return made[-1]

    yield make
    for each in made:
        each.end()
