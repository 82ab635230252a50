"""A service whose packets get lost: half of them, say, each sent again after TCP's timeout."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import within
from pytest_anomod.faults._relay import LOOPBACK, RelayedFault, round_trips_s
from pytest_anomod.model.fault import Json, Level, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_SLOW_S = 0.18  # a little less than the first retransmission timeout
_GIVE_UP_S = 0.7


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLoss(RelayedFault):
    """`percent` of the packets to and from the target are lost; what is lost comes again 0.2 s, 0.4 s ... later.

    Loss by a relay needs no root and no kernel module and touches nobody else. It is seen from outside: the share of
    round trips (connect, ask, answer: three packets) that take longer than a retransmission.
    """

    name: ClassVar[str] = "network_loss"
    level: ClassVar[Level] = Level.PERFORMANCE

    percent: float = 50

    def __post_init__(self) -> None:
        within(self, "percent", 2, 95, "%")

    def relay_options(self) -> Mapping[str, object]:
        return {"loss": self.percent / 100}

    def active(self, deployment: Deployment, target: str) -> Observation:
        expected = 1 - (1 - self.percent / 100) ** 3
        count = min(100, max(16, math.ceil(6 / expected)))
        times = round_trips_s(deployment, target, count, _GIVE_UP_S)
        slow = sum(time > _SLOW_S for time in times)
        evidence = {"round_trips": count, "slow": slow, "slow_beyond_s": _SLOW_S, "expected_share": round(expected, 3)}
        # no answer at all tells of something else, unless so much is lost that this is to be expected
        answered = any(time < math.inf for time in times) or self.percent > 50
        return Observation(active=answered and slow >= max(2, 0.35 * expected * count), evidence=evidence)

    def blade(self, target: str) -> Mapping[str, Json]:
        percent = f"{self.percent:g}"
        return {
            "args": ["cri", "network", "loss", "--interface", "eth0", "--percent", percent, "--container-name", target],
            "refusal": LOOPBACK,
        }

    def chaos_mesh(self, target: str) -> Mapping[str, Json]:
        return {
            "kind": "NetworkChaos",
            "spec": {
                "action": "loss",
                "mode": "all",
                "selector": {"labelSelectors": {"app": target}},
                "loss": {"loss": f"{self.percent:g}", "correlation": "0"},
                "direction": "to",
            },
        }


OFFERS = (NetworkLoss,)
