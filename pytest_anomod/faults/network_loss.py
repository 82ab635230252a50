"""Fault network_loss: a share of a service's packets is lost, each sent again after TCP's timeout."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults import _rules
from pytest_anomod.faults._parameters import one_of, refuse, within
from pytest_anomod.faults._relay import RelayedFault, round_trips_s
from pytest_anomod.faults._speak import says_something
from pytest_anomod.model.capability import NetNamespace
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, Json, Level, Observation
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

MEANS = ("auto", "kernel", "relay")
WHY_NONE = "it has no running container whose network namespace can be ruled (Linux, a local engine, root, iptables)"
_SLOW_S = 0.18  # a little less than the first retransmission timeout
_GIVE_UP_S = 0.7


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLoss(RelayedFault):
    """`percent` of the packets to and from the target are lost; what is lost comes again 0.2 s, 0.4 s ... later.

    `means`: "kernel" has the kernel drop them in the network namespace of the target's container, those of its own
    calls to others too, by netem where it has that and by iptables where not; "relay" is a relay in front of the target
    that loses packets of requests to it, which needs no root and no kernel module; "auto" takes the kernel where it
    can. Neither affects other services. Both are seen from outside: the share of round trips (connect, ask, answer:
    three packets; to an engine that we don't speak the connection alone) that take longer than a retransmission; the
    kernel's counts of what it dropped must grow by that as well.
    """

    name: ClassVar[str] = "network_loss"
    level: ClassVar[Level] = Level.PERFORMANCE
    dial: ClassVar[Dial] = steps(percent=(5, 15, 30, 50, 90))

    percent: float = 50
    means: str = "auto"

    def __post_init__(self) -> None:
        RelayedFault.__post_init__(self)
        within(self, "percent", 2, 95, "%")
        one_of(self, "means", MEANS)
        if self.means == "kernel" and self.off_s:
            refuse(self, "off_s", "must be 0 with means='kernel': only the relay lets go in between")

    def relay_options(self) -> Mapping[str, object]:
        return {"loss": self.percent / 100}

    def inject(self, deployment: Deployment, target: str) -> Mapping[str, Json]:
        space = None if self.means == "relay" or self.off_s else deployment.capability(NetNamespace, target)
        if space is None:
            if self.means == "kernel":
                msg = f"the kernel can't lose packets of {target!r}: {WHY_NONE}; use means='relay' or 'auto'"
                raise InjectionError(msg)
            return {"means": "relay", **RelayedFault.inject(self, deployment, target)}
        return {"means": "kernel", "by": space.lose(self.name, self.percent / 100)}

    def recover(self, deployment: Deployment, target: str) -> None:
        """Undo both means, because the process that recovers may not know which one was used."""
        _rules.take_away(deployment, target, self.name)
        RelayedFault.recover(self, deployment, target)

    def look(self, deployment: Deployment, target: str) -> Observation:
        before = _rules.counted(deployment, target, self.name)
        packets = 3 if says_something(instance_of(deployment, target).engine) else 1
        expected = 1 - (1 - self.percent / 100) ** packets
        count = min(100, max(16, math.ceil(6 / expected)))
        times = round_trips_s(deployment, target, count, _GIVE_UP_S)
        slow = sum(time > _SLOW_S for time in times)
        evidence = {"round_trips": count, "slow": slow, "slow_beyond_s": _SLOW_S, "expected_share": round(expected, 3)}
        # no answer at all tells of something else, unless so much is lost that this is to be expected
        answered = any(time < math.inf for time in times) or self.percent > 50
        if before:
            dropped = sum(_rules.counted(deployment, target, self.name)) - sum(before)
            evidence["dropped_by_kernel"] = dropped
            answered = dropped > 0
        return Observation(active=answered and slow >= max(2, 0.35 * expected * count), evidence=evidence)


OFFERS = (NetworkLoss,)
