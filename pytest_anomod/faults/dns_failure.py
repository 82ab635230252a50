"""A service that can't resolve the names of some of its peers, while everybody else can."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._chaos_mesh import resource
from pytest_anomod.faults._parameters import names, refuse_target
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Resolver
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import PEERS, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of, need

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DnsFailure(FaultDefaults):
    """For the target alone `peers` are names that don't exist; it still resolves all others, and others resolve them.

    Connections that the target has open to them are closed, so that it is hurt at once and not when a pool runs dry. A
    target that is restarted meanwhile can't resolve them either. At least one peer must be one that the target calls.
    """

    name: ClassVar[str] = "dns_failure"
    level: ClassVar[Level] = Level.SERVICE
    edges: ClassVar[str] = PEERS
    needs: ClassVar[frozenset[type]] = frozenset({Resolver})

    peers: tuple[str, ...]

    def __post_init__(self) -> None:
        names(self, "peers")

    def check(self, system: System, target: str) -> None:
        service = system.service(target)
        for peer in self.peers:
            system.service(peer)
        if not set(self.peers) & set(service.calls):
            missed = ", ".join(self.peers)
            refuse_target(self, target, f"it never calls {missed}; it calls {', '.join(service.calls) or 'nobody'}")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        need(deployment, Resolver, target).hide(self.peers)
        return {"unknown": list(self.peers), "instance": instance_of(deployment, target).instance_id}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the target's resolver fails for just these of the names that another service's resolves.

        A connection that the target still keeps to one of them is a way round its resolver: then it is not in.
        """
        state = instance_of(deployment, target).state
        if state != "running":
            return Observation(active=False, evidence={"state": state})
        resolver = need(deployment, Resolver, target)
        known = list(dict.fromkeys(instance.service for instance in deployment.instances()))
        other, its_resolver = _another(deployment, target)
        here, there = resolver.resolved(known), its_resolver.resolved(known)
        only_here = [name for name in known if name not in here and name in there]
        kept = resolver.connections(self.peers)
        evidence = {"unresolved": only_here, "resolved_by": other, "names": len(known), "connections_kept": kept}
        return Observation(active=set(only_here) == set(self.peers) and not kept, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Make the names known again and see that the target, if it is up, resolves all that another does."""
        need(deployment, Resolver, target).hide(())
        clock.wait_until(
            lambda: _is_over(deployment, target), timeout_s=10.0, what=f"{target!r} to resolve all names again"
        )

    def chaos_mesh(self, target: str) -> Mapping[str, Json]:
        """An error for every lookup; the DNS server of Chaos Mesh must be the pods' resolver for it."""
        return resource("DNSChaos", target, action="error", patterns=[f"{peer}*" for peer in self.peers])


def _another(deployment: Deployment, target: str) -> tuple[str, Resolver]:
    """A service that runs and has a resolver of its own, and that."""
    for instance in deployment.instances():
        if instance.state == "running" and instance.service != target:
            resolver = deployment.capability(Resolver, instance.service)
            if resolver is not None:
                return instance.service, resolver
    msg = f"no other service of {deployment.system!r} runs whose resolver could be compared with that of {target!r}"
    raise InjectionError(msg)


def _is_over(deployment: Deployment, target: str) -> bool:
    instance = instance_of(deployment, target)
    if instance.state == "stopped":
        return True  # when it is started again, it knows all names
    running = {one.service for one in deployment.instances() if one.state != "stopped"}
    try:
        return need(deployment, Resolver, target).resolved(running) >= running
    except DeploymentError:
        return False  # it is on its way


OFFERS = (DnsFailure,)
