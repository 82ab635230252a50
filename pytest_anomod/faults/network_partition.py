"""Fault network_partition: no packets pass between a service and some of its peers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _rules
from pytest_anomod.faults._parameters import names, one_of, refuse_target
from pytest_anomod.model.capability import NetNamespace, PeerPolicy
from pytest_anomod.model.errors import DeploymentError, InjectionError
from pytest_anomod.model.fault import LINK, FaultDefaults, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

HOW = ("drop", "reject")
_PATIENCE_S = 0.4
_NO_RST = ("-p", "tcp", "--tcp-flags", "RST", "RST")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPartition(FaultDefaults):
    """No packet passes between the target and `peers`, in either direction, on old connections or new ones.

    `how`: "drop" has them vanish, so that both sides wait; "reject" answers them, so that both sides are refused. It
    needs a network namespace of the target's own: containers; to drop them, a policy of a cluster does as well. The
    peers' addresses are those at injection.
    """

    name: ClassVar[str] = "network_partition"
    level: ClassVar[Level] = Level.SERVICE
    edges: ClassVar[str] = LINK
    needs: ClassVar[frozenset[type]] = frozenset({NetNamespace})
    instead: ClassVar[frozenset[type]] = frozenset({PeerPolicy})

    peers: tuple[str, ...]
    how: str = "drop"

    def __post_init__(self) -> None:
        names(self, "peers")
        one_of(self, "how", HOW)

    @property
    def also_needs(self) -> frozenset[type]:
        """A policy only drops."""
        return frozenset({NetNamespace} if self.how == "reject" else ())

    def check(self, system: System, target: str) -> None:
        calls = set(system.service(target).calls)
        if target in self.peers:
            refuse_target(self, target, "a service can't be cut off from itself")
        linked = [peer for peer in self.peers if peer in calls or target in system.service(peer).calls]
        if not linked:
            refuse_target(self, target, f"it neither calls {', '.join(self.peers)} nor is called from there")

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        policy = deployment.capability(PeerPolicy, target)
        if policy is not None:
            addresses = {peer: _address(deployment, peer)[0] for peer in self.peers}
            policy.close(addresses)
            return {"peers": addresses, "how": self.how, "by": "policy"}
        space = deployment.capability(NetNamespace, target)
        if space is None:
            msg = f"{target!r} of {deployment.system!r} has no running container whose packets can be ruled"
            raise InjectionError(msg)
        addresses = {peer: _address(deployment, peer)[0] for peer in self.peers}
        # connections to them are reset in the end, wherever they are then
        deployment.originals.remember(_key(target), addresses)
        space.put(self.name, [rule for address in addresses.values() for rule in self._rules(address)])
        return {"peers": addresses, "how": self.how}

    def _rules(self, address: str) -> list[tuple[str, ...]]:
        """Of one peer: what comes from it, what goes to it."""
        ends = (("-s", address), ("-d", address))
        if self.how == "drop":
            return [(*end, "-j", "DROP") for end in ends]
        # the resets by which it refuses what comes in are packets to the peer: they must pass
        passes = [("-d", address, *_NO_RST, "-j", "RETURN")]
        return passes + [(*end, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset") for end in ends]

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether the target's network reaches none of the peers, its rules met these attempts, and others are reached.

        A peer or a target that is down tells nothing.
        """
        down = [name for name in (target, *self.peers) if instance_of(deployment, name).state != "running"]
        policy = deployment.capability(PeerPolicy, target)
        if policy is not None and not down:
            return self._look_at_policy(policy, deployment, target)
        space = deployment.capability(NetNamespace, target)
        if down or space is None:
            return Observation(active=False, evidence={"down": down})
        before = _rules.counted(deployment, target, self.name)
        if not before:
            return Observation(active=False, evidence={"rules": 0})
        reached = [peer for peer in self.peers if space.reaches(_address(deployment, peer), _PATIENCE_S)]
        met = [now - then for now, then in zip(_rules.counted(deployment, target, self.name), before, strict=False)]
        size = len(met) // len(self.peers)
        stopped = [sum(met[size * number + size - 2 : size * (number + 1)]) for number in range(len(self.peers))]
        other = self._other(deployment, target, space)
        evidence = {"reached": reached, "stopped": dict(zip(self.peers, stopped, strict=True)), "still_reached": other}
        return Observation(active=not reached and all(stopped) and other is not None, evidence=evidence)

    def _look_at_policy(self, policy: PeerPolicy, deployment: Deployment, target: str) -> Observation:
        """The same where nobody counts packets."""
        if not policy.is_closed():
            return Observation(active=False, evidence={"policy": False})
        running = {one.service: one.inner_address for one in deployment.instances() if one.service != target}
        addresses = {name: address for name, address in running.items() if address is not None}
        found = policy.reached(addresses, _PATIENCE_S)
        reached, others = sorted(found & {*self.peers}), sorted(found - {*self.peers})
        evidence = {"policy": True, "reached": reached, "still_reached": others[:1]}
        return Observation(active=not reached and bool(others), evidence=evidence)

    def _other(self, deployment: Deployment, target: str, space: NetNamespace) -> str | None:
        """Somebody else whom the target's network reaches; what speaks HTTP is tried first, then stores."""
        for instance in sorted(deployment.instances(), key=lambda one: one.engine != "http"):
            one = instance.service
            if one in (target, *self.peers) or instance.state != "running":
                continue
            if space.reaches(_address(deployment, one), 2.0):
                return one
        return None

    def recover(self, deployment: Deployment, target: str) -> None:
        """Remove the rules, and reset connections that wait for retransmissions, which would take seconds."""
        policy = deployment.capability(PeerPolicy, target)
        if policy is not None:
            policy.open()
            return
        addresses = deployment.originals.recall(_key(target))
        _rules.take_away(deployment, target, self.name, list((addresses or {}).values()))
        deployment.originals.forget(_key(target))  # without a process the rules went with its namespace


def _address(deployment: Deployment, service: str) -> tuple[str, int]:
    address = instance_of(deployment, service).inner_address
    if address is None:
        msg = f"{service!r} of {deployment.system!r} has no address on the private network: it does not run"
        raise DeploymentError(msg)
    return address


def _key(target: str) -> str:
    return f"network_partition {target}"


OFFERS = (NetworkPartition,)
