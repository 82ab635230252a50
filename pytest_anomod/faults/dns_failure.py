"""A service that can't resolve the names of some of its peers, while everybody else can."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._agents import tell
from pytest_anomod.faults._chaos_mesh import resource
from pytest_anomod.faults._parameters import names, refuse_target
from pytest_anomod.model import clock
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Ability, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.system import ServiceKind

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_RUNS_CODE = (ServiceKind.APP, ServiceKind.GATEWAY)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DnsFailure(FaultDefaults):
    """For the target alone `peers` are names that don't exist; it still resolves all others, and others resolve them.

    Connections that the target has open to them are closed, so that it is hurt at once and not when a pool runs dry. A
    target that is restarted meanwhile can't resolve them either. At least one peer must be one that the target calls.
    """

    name: ClassVar[str] = "dns_failure"
    level: ClassVar[Level] = Level.SERVICE
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.NAMES})

    peers: tuple[str, ...]

    def __post_init__(self) -> None:
        names(self, "peers")

    def check(self, system: System, target: str) -> None:
        service = system.service(target)
        if service.kind not in _RUNS_CODE:
            refuse_target(self, target, "a store resolves no names")
        for peer in self.peers:
            system.service(peer)
        if not set(self.peers) & set(service.calls):
            missed = ", ".join(self.peers)
            refuse_target(self, target, f"it never calls {missed}; it calls {', '.join(service.calls) or 'nobody'}")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        deployment.hide_names(target, self.peers)
        return {"unknown": list(self.peers), "instance": deployment.instance(target).instance_id}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the target's resolver fails for just these of the names that another service's resolves.

        A connection that the target still keeps to one of them is a way round its resolver: then it is not in.
        """
        state = deployment.instance(target).state
        if state != "running":
            return Observation(active=False, evidence={"state": state})
        known = [instance.service for instance in deployment.instances()]
        other = _another(deployment, target)
        here, there = (tell(deployment, service, "/names/look", {"names": known}) for service in (target, other))
        only_here = [name for name in known if here[name]["port"] is None and there[name]["port"] is not None]
        kept = sum(here[peer]["kept"] for peer in self.peers)
        evidence = {"unresolved": only_here, "resolved_by": other, "names": len(known), "connections_kept": kept}
        return Observation(active=set(only_here) == set(self.peers) and not kept, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Make the names known again and see that the target, if it is up, resolves all that another does."""
        deployment.hide_names(target, ())
        clock.wait_until(
            lambda: _is_over(deployment, target), timeout_s=10.0, what=f"{target!r} to resolve all names again"
        )

    def chaos_mesh(self, target: str) -> Mapping[str, Json]:
        """An error for every lookup; the DNS server of Chaos Mesh must be the pods' resolver for it."""
        return resource("DNSChaos", target, action="error", patterns=[f"{peer}*" for peer in self.peers])


def _another(deployment: Deployment, target: str) -> str:
    """A service that runs and has a resolver of its own."""
    for instance in deployment.instances():
        if instance.kind in _RUNS_CODE and instance.state == "running" and instance.service != target:
            return instance.service
    msg = f"no other service of {deployment.system!r} runs whose resolver could be compared with that of {target!r}"
    raise InjectionError(msg)


def _is_over(deployment: Deployment, target: str) -> bool:
    instance = deployment.instance(target)
    if instance.state == "stopped":
        return True  # when it is started again, it knows all names
    try:
        looked = tell(deployment, target, "/names/look", {"names": [one.service for one in deployment.instances()]})
    except InjectionError:
        return False  # it is on its way
    running = [one.service for one in deployment.instances() if one.state != "stopped"]
    return all(looked[name]["port"] is not None for name in running)


OFFERS = (DnsFailure,)
