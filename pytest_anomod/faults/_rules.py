"""Rules in a target's own network, which may be gone with its process at any moment."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pytest_anomod.faults._alive import with_what_runs
from pytest_anomod.model.capability import NetNamespace

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


def take_away(deployment: Deployment, target: str, tag: str, reset: Collection[str] = ()) -> None:
    """Take a set of rules away and reset the connections to those addresses (none: all); with none in, do nothing.

    Who waits for the next retransmission would do so for seconds. A process that ends meanwhile took its rules along.
    """

    def take() -> None:
        space = deployment.capability(NetNamespace, target)
        if space is not None and space.counted(tag):
            space.clear(tag)
            space.reset_connections(reset)

    with_what_runs(deployment, target, take)


def counted(deployment: Deployment, target: str, tag: str) -> tuple[int, ...]:
    """Packets that each rule of a set met; () when there is none, or no process to have it."""

    def count() -> tuple[int, ...]:
        space = deployment.capability(NetNamespace, target)
        return space.counted(tag) if space is not None else ()

    return with_what_runs(deployment, target, count)
