"""Fault no_fault: what a control injects, which is nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.model.fault import Dial, FaultDefaults, Json, Level, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoFault(FaultDefaults):
    """The fault of a control: it does nothing and is never active."""

    name: ClassVar[str] = "no_fault"
    level: ClassVar[Level] = Level.NORMAL
    needs: ClassVar[frozenset[type]] = frozenset()
    dial: ClassVar[Dial] = {}

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        return {}

    def active(self, deployment: Deployment, target: str) -> Observation:
        return Observation(active=False)

    def recover(self, deployment: Deployment, target: str) -> None:
        return None


OFFERS = (NoFault,)
