"""Fault dns_failure: a service can't resolve the names of some of its peers, while all others can."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, ClassVar

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

    Connections that the target has open to them are closed, so that it is affected at once. A
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
        resolver, known = need(deployment, Resolver, target), _services(deployment)
        resolved = resolver.resolved(known)
        before = [name for name in known if name in resolved]
        missing = [peer for peer in self.peers if peer not in resolved]
        if missing:
            msg = f"{target!r} does not resolve {', '.join(missing)} as it is: no network of it has them"
            raise InjectionError(msg)
        deployment.originals.remember(
            _key(target), {"resolved": before, "by": _who_resolves(deployment, target, before)}
        )
        resolver.hide(self.peers)
        return {"unknown": list(self.peers), "instance": instance_of(deployment, target).instance_id}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the target's resolver fails for just these of the names that it knew and others still resolve.

        A connection that the target still keeps to one of them is a way round its resolver: then it is not in.
        """
        state = instance_of(deployment, target).state
        if state != "running":
            return Observation(active=False, evidence={"state": state})
        resolver = need(deployment, Resolver, target)
        before = deployment.originals.recall(_key(target)) or {}
        known = before.get("resolved") or _services(deployment)
        here, there = resolver.resolved(known), _resolved_by_others(deployment, target, known, before.get("by") or {})
        elsewhere = frozenset().union(*there.values())
        only_here = [name for name in known if name not in here and name in elsewhere]
        kept = resolver.connections(self.peers)
        evidence = {
            "unresolved": only_here,
            "resolved_by": ", ".join(there),
            "names": len(known),
            "connections_kept": kept,
        }
        return Observation(active=set(only_here) == set(self.peers) and not kept, evidence=evidence)

    def recover(self, deployment: Deployment, target: str) -> None:
        """Make the names known again and see that the target, if it is up, resolves those that it did before."""
        need(deployment, Resolver, target).hide(())
        before = deployment.originals.recall(_key(target))
        if before is None:
            return
        clock.wait_until(
            lambda: _is_over(deployment, target, before["resolved"]),
            timeout_s=10.0,
            what=f"{target!r} to resolve all names again",
        )
        deployment.originals.forget(_key(target))


def _key(target: str) -> str:
    return f"dns_failure {target}"


def _services(deployment: Deployment) -> list[str]:
    return list(dict.fromkeys(instance.service for instance in deployment.instances()))


def _who_resolves(deployment: Deployment, target: str, names: Collection[str]) -> dict[str, list[str]]:
    """Other services that run, and which of the names they resolve: no more of them than the names need.

    Services in different networks know different names.
    """
    left, found = set(names), {}
    for instance in deployment.instances():
        other = instance.service
        if left and instance.state == "running" and other != target and other not in found:
            resolver = deployment.capability(Resolver, other)
            if resolver is not None and (resolved := resolver.resolved(sorted(left))):
                found[other] = sorted(resolved)
                left -= resolved
    if not found:
        msg = f"no other service of {deployment.system!r} runs whose resolver could be compared with that of {target!r}"
        raise InjectionError(msg)
    return found


def _resolved_by_others(
    deployment: Deployment, target: str, names: Collection[str], before: Mapping[str, list[str]]
) -> dict[str, frozenset[str]]:
    """What those that resolved the names before resolve of them now; where none of them runs, whoever does is asked."""
    running = {one.service for one in deployment.instances() if one.state == "running"}
    asked = {other: known for other, known in before.items() if other in running}
    if not asked:
        return {other: frozenset(known) for other, known in _who_resolves(deployment, target, names).items()}
    return {other: need(deployment, Resolver, other).resolved(known) for other, known in asked.items()}


def _is_over(deployment: Deployment, target: str, before: Collection[str]) -> bool:
    instance = instance_of(deployment, target)
    if instance.state == "stopped":
        return True  # when it is started again, it knows all names
    running = {one.service for one in deployment.instances() if one.state != "stopped"} & set(before)
    try:
        return need(deployment, Resolver, target).resolved(sorted(running)) >= running
    except DeploymentError:
        return False  # it is on its way


OFFERS = (DnsFailure,)
