"""Repeats what is done to the process of a target if that process ended meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment, Instance

_FOUND_OUT_S = 0.5  # within which a deployment knows that a process ended
T = TypeVar("T")


def with_what_runs(deployment: Deployment, target: str, act: Callable[[], T]) -> T:
    """Return the result of `act`; it is called again if it failed because the process of the target ended meanwhile.

    A DeploymentError of `act` that the end of the process does not explain is raised.
    """
    while True:
        before = instance_of(deployment, target)
        try:
            return act()
        except DeploymentError:
            if not _is_replaced(deployment, target, before):
                raise


def _is_replaced(deployment: Deployment, target: str, before: Instance) -> bool:
    """Whether the process that was there ended; that takes a moment to be found out."""
    with contextlib.suppress(TimeoutError):
        clock.wait_until(lambda: instance_of(deployment, target) != before, timeout_s=_FOUND_OUT_S, what="its end")
    return instance_of(deployment, target) != before
