"""Rules in a target's own network, which may be gone with its process at any moment."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


def take_away(deployment: Deployment, target: str, tag: str, reset: Collection[str] = ()) -> None:
    """Take a set of rules away and reset the connections to those addresses (none: all); with none in, do nothing.

    Who waits for the next retransmission would do so for seconds. A process that ends meanwhile took its rules along.
    """
    while (before := deployment.instance(target)).pid is not None:
        try:
            space = deployment.net_namespace(target)
            if space is not None and space.counted(tag):
                space.clear(tag)
                space.reset_connections(reset)
            return
        except DeploymentError:
            clock.sleep(0.2)  # it may have died just now, which the deployment finds out soon
            if deployment.instance(target) == before:
                raise


def counted(deployment: Deployment, target: str, tag: str) -> tuple[int, ...]:
    """Packets that each rule of a set met; () when there is none, or no process to have it."""
    before = deployment.instance(target)
    try:
        space = deployment.net_namespace(target)
        return space.counted(tag) if space is not None else ()
    except DeploymentError:
        clock.sleep(0.2)  # as above
        if deployment.instance(target) == before:
            raise
        return ()
