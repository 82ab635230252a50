"""Memory pressure in a container: a limit a little above what it uses, and a program in it that takes the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_anomod.faults import _programs
from pytest_anomod.model.capability import ControlGroup, Limit

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

NAME = "filler"
MIB = 1 << 20


def press(deployment: Deployment, target: str, spare_mb: float, mode: str) -> bool:
    """Limit the target's container and start to fill it; False when it does not run, or is under pressure already."""
    group = deployment.capability(ControlGroup, target)
    if group is None or _programs.running(deployment, target, NAME) is not None:
        return False
    now = group.limit(Limit.MEMORY)
    deployment.originals.remember(original(target), now)
    if now == deployment.originals.recall(original(target)):
        group.limit_memory(group.memory().used_bytes + round(spare_mb * MIB))
    _programs.end(deployment, target, NAME)  # a program that was killed with its container is still recorded
    _programs.start(deployment, target, "hog", NAME, mode=mode)
    return True


def original(target: str) -> str:
    """The name under which the limit's original is remembered."""
    return f"memory_pressure {target}"
