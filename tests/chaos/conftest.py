"""What the tests of the experiment's playing share: a fake deployment and a player."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from acting import ActingFault

from pytest_anomod import testing
from pytest_anomod.chaos.compile import compile_experiment
from pytest_anomod.chaos.toolkit import play
from pytest_anomod.model.journal import Journal, read_journal
from pytest_anomod.testing import QUICK, FakeDeployment, fake_deployment, fake_scenario, offered


class Player:
    """Compiles and plays scenarios against one fake deployment, and keeps what was heard."""

    def __init__(self, deployment: FakeDeployment) -> None:
        self.deployment = deployment
        self.records = deployment.directory / "responses.jsonl"
        self.edges: list[str] = []

    def compile(self, **scenario: Any) -> dict[str, Any]:
        return compile_experiment(
            fake_scenario(**scenario), self.deployment.ref, injector="fake", records=str(self.records), tempo=QUICK
        )

    def play(self, **scenario: Any) -> Journal:
        return read_journal(play(self.compile(**scenario), on_edge=self.edges.append))

    @property
    def world(self) -> dict[str, Any]:
        return self.deployment.world.read()

    def assert_clean(self) -> None:
        """Nothing is left: the fault is out and nobody writes records any more."""
        assert self.world["fault_in"] is False
        assert testing.load._writers == {}


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Player]:
    with offered(ActingFault):
        yield Player(fake_deployment(tmp_path / "deployment"))
