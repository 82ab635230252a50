"""Fault network_bandwidth: traffic to and from a service has a low rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import check_engine, within
from pytest_anomod.faults._relay import RelayedFault, filled_trips_s
from pytest_anomod.faults._speak import FILLABLE
from pytest_anomod.model.fault import Dial, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_PROBE_S, _PROBE_BYTES = 0.4, 48_000
"""Probes take so long together on an idle line, but have no more bytes than that."""
_PATIENCE_S = 12.0
"""How much longer a probe waits: a little more than callers do, whose requests are before it (10 s in the replicas)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkBandwidth(RelayedFault):
    """`rate_kbit` kilobits a second go through to the target, and as many come back, for all connections together.

    Below the rate of the target's traffic requests wait for the line until their callers give up, and probes wait as
    long. Of callers that never give up nothing comes back in time, which the probe can't tell from a target that hangs.
    """

    name: ClassVar[str] = "network_bandwidth"
    level: ClassVar[Level] = Level.PERFORMANCE
    dial: ClassVar[Dial] = steps(rate_kbit=(1_000, 400, 128, 48, 24))

    rate_kbit: float = 128

    def __post_init__(self) -> None:
        RelayedFault.__post_init__(self)
        within(self, "rate_kbit", 8, 2_000, "kbit/s")

    def check(self, system: System, target: str) -> None:
        check_engine(self, system, target, *FILLABLE)

    def relay_options(self) -> Mapping[str, object]:
        return {"rate_kbit": self.rate_kbit}

    def look(self, deployment: Deployment, target: str) -> Observation:
        """Whether requests take together about as long as their bytes do on that line, or longer: others use it too."""
        size = min(_PROBE_BYTES, math.ceil(_PROBE_S * self.rate_kbit * 125))
        expected_s = size / (self.rate_kbit * 125)
        took_s = filled_trips_s(deployment, target, size, expected_s + _PATIENCE_S)
        evidence = {
            "bytes": size,
            "took_s": None if took_s == math.inf else round(took_s, 4),
            "expected_s": round(expected_s, 4),
        }
        # the upper bound excludes a target that merely hangs
        return Observation(active=0.8 * expected_s <= took_s < math.inf, evidence=evidence)


OFFERS = (NetworkBandwidth,)
