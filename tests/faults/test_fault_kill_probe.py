"""When a killed service counts as away: gone, just started again, or started a while ago and not there yet."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_anomod.faults.kill_service import KillService
from pytest_anomod.model import clock
from pytest_anomod.model.runtime import Instance
from pytest_anomod.testing import FakeDeployment, fake_deployment


class Killed(FakeDeployment):
    """A fake whose app is so old, was started again so often, and answers or does not."""

    age_s, restarts, replies = 0.1, 1, True

    def instances(self, service: str = "") -> tuple[Instance, ...]:
        now = {"start_time": clock.now_ns() / 1e9 - self.age_s, "restarts": self.restarts}
        return tuple(dataclasses.replace(one, **now) for one in super().instances(service))

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        return self.replies


@pytest.mark.parametrize(
    ("age_s", "restarts", "replies", "away"),
    [
        (0.5, 1, True, True),
        (1.1, 1, True, True),
        (2.0, 1, False, True),
        (2.0, 1, True, False),
        (5.0, 1, False, False),
        (0.5, 0, True, False),
        (2.0, 0, False, False),
    ],
)
def test_a_service_that_is_still_starting_is_away(
    tmp_path: Path, age_s: float, restarts: int, replies: bool, away: bool
) -> None:
    """One that was never killed, or is old and silent for another reason, is not."""
    deployment = Killed(fake_deployment(tmp_path / "up").ref)
    deployment.age_s, deployment.restarts, deployment.replies = age_s, restarts, replies
    assert bool(KillService().active(deployment, "app")) is away
