"""Limits on the control group of a target's container: what they were is written down first, and put back later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_anomod.faults._alive import with_what_runs
from pytest_anomod.model.capability import ControlGroup
from pytest_anomod.model.errors import InjectionError

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


def group_of(deployment: Deployment, target: str) -> ControlGroup:
    """The control group of a target; InjectionError when it has none that we may limit now."""
    group = deployment.capability(ControlGroup, target)
    if group is None:
        msg = f"{target!r} has no control group that could be limited: its container is not up, or not ours"
        raise InjectionError(msg)
    return group


def put_back(deployment: Deployment, target: str, key: str) -> None:
    """Put back what was remembered under a key; a container that was started since has none of our limits."""
    before: Mapping[str, str] | None = deployment.originals.recall(key)
    if before is None:
        return

    def write() -> None:
        if (group := deployment.capability(ControlGroup, target)) is not None:
            group.put_back(before)

    with_what_runs(deployment, target, write)
    deployment.originals.forget(key)
