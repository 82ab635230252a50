"""What a fault is: a frozen value with inject, active and recover, and what it needs of a deployment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

Json = Any
"""A value that json.dumps takes."""
Dial = Mapping[int, Mapping[str, Json]]
"""Severities that a fault can have, and the values of its parameters that make it so."""


class Level(StrEnum):
    """The paper's four levels of anomaly, and the control's."""

    NORMAL = "normal"
    PERFORMANCE = "performance"
    SERVICE = "service"
    DATABASE = "database"
    CODE = "code"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a probe saw: whether the fault is in, and the figures that show it."""

    active: bool
    evidence: Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.active


IN, PEERS, LINK = "in", "peers", "link"
"""Values of Fault.edges."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeLocation:
    """A function as the truth of a code fault: file as the coverage table names it, lines 1-based and inclusive."""

    file: str
    function: str
    first_line: int
    last_line: int


@runtime_checkable
class Fault(Protocol):
    """A typed declaration of one thing that can go wrong; implementations are frozen keyword-only dataclasses.

    `active` probes the target and never uses what the injector returned. `recover` is idempotent and works in a new
    process that has only the deployment's ref (originals are kept through `deployment.originals`).
    """

    name: ClassVar[str]
    level: ClassVar[Level]
    needs: ClassVar[frozenset[type]]
    """The capabilities (model/capability.py) that a target must have; collection checks them against the runtime's."""
    host_wide: ClassVar[bool]
    """True when the load reaches beyond the target's own boundary: the case then takes the host-wide lock."""
    dial: ClassVar[Dial]
    """Each step is worse to users than the one before; see model/severity.py."""
    holds: ClassVar[str]
    """What of its target it takes for itself, so that no other fault that does can be in as well; "" for nothing that
    others want."""
    edges: ClassVar[str]
    """Which calls it lies on, when it acts between services, where their own spans can't show it: IN (calls to the
    target), PEERS (calls from it to its `peers`), LINK (calls between it and its `peers`, either way); "" for none."""

    def check(self, system: System, target: str) -> None:
        """Raise ScenarioError when this fault can't be aimed at `target`; called at collection."""

    def prepare(self, deployment: Deployment, target: str) -> None:
        """Bring the target into the state the fault supposes, before the baseline; undone by `recover`."""

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        """Inject the fault; return what was done, as JSON."""

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Probe for the fault; safe to call before, during and after."""

    def recover(self, deployment: Deployment, target: str) -> None:
        """Recover the fault; idempotent, also if nothing was injected."""

    def locate(self, deployment: Deployment, target: str) -> CodeLocation | None:
        """The function that is at fault, for faults in code; None for all others."""


class FaultDefaults:
    """What most faults share; subclass it and a fault file holds only what is its own."""

    __slots__ = ()
    instead: ClassVar[frozenset[type]] = frozenset()
    """Capabilities that do as well as `needs`, all together; none where there is one way only."""
    host_wide: ClassVar[bool] = False
    dial: ClassVar[Dial] = {5: {}}  # it is in or not, and an outage when it is
    edges: ClassVar[str] = ""
    holds: ClassVar[str] = ""

    @property
    def also_needs(self) -> frozenset[type]:
        """What it needs besides, with these very parameters."""
        return frozenset()

    def check(self, system: System, target: str) -> None:
        system.service(target)

    def prepare(self, deployment: Deployment, target: str) -> None:
        return None

    def locate(self, deployment: Deployment, target: str) -> CodeLocation | None:
        return None


def lacking(fault: Fault, lacks: Callable[[frozenset[type]], frozenset[type]]) -> frozenset[type]:
    """What a target lacks for a fault, by a function that says which of some capabilities it lacks."""
    # a third party's fault need not be made of FaultDefaults
    also: frozenset[type] = getattr(fault, "also_needs", frozenset())
    other: frozenset[type] = getattr(fault, "instead", frozenset())
    missing = lacks(fault.needs | also)
    return missing if missing and (not other or lacks(other | also)) else frozenset()


def parameters(fault: Fault) -> dict[str, Json]:
    """The fault's own parameters as a JSON object."""
    return dataclasses.asdict(fault)  # type: ignore[call-overload,no-any-return]
