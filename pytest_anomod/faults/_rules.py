"""Rules in a target's own network, which may be gone with its process at any moment."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pytest_anomod.faults._alive import with_what_runs
from pytest_anomod.model.capability import NetNamespace

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


def take_away(deployment: Deployment, target: str, tag: str, reset: Collection[str] = ()) -> None:
    """Remove a set of rules and reset the connections to those addresses (none: all); does nothing without rules.

    Connections that wait for a retransmission would wait for seconds. The rules of a process that ends are gone.
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
