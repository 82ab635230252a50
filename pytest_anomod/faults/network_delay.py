"""Fault network_delay: packets to and from a service take some milliseconds more."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import refuse, within
from pytest_anomod.faults._relay import RelayedFault, round_trips_s
from pytest_anomod.model.fault import Dial, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDelay(RelayedFault):
    """Each packet to or from the target is under way for `delay_ms` more, give or take `jitter_ms` (evenly spread)."""

    name: ClassVar[str] = "network_delay"
    level: ClassVar[Level] = Level.PERFORMANCE
    dial: ClassVar[Dial] = steps(delay_ms=(30, 80, 200, 600, 2_500))

    delay_ms: float = 100
    jitter_ms: float = 0

    def __post_init__(self) -> None:
        RelayedFault.__post_init__(self)
        within(self, "delay_ms", 20, 10_000, "ms")
        within(self, "jitter_ms", 0, 10_000, "ms")
        if self.jitter_ms > self.delay_ms:
            refuse(self, "jitter_ms", f"must be at most delay_ms={self.delay_ms:g}: nothing arrives before it is sent")

    def relay_options(self) -> Mapping[str, object]:
        return {"delay_ms": self.delay_ms, "jitter_ms": self.jitter_ms}

    def look(self, deployment: Deployment, target: str) -> Observation:
        """Whether the median of five round trips is near two delays, there and back."""
        there_and_back_s = 2 * self.delay_ms / 1e3
        times = round_trips_s(deployment, target, 5, there_and_back_s * 2 + 0.5)
        median = statistics.median(times)
        # the upper bound excludes a target that merely hangs
        far = 0.6 * there_and_back_s <= median < math.inf and times[0] >= 2 * (self.delay_ms - self.jitter_ms) / 1e3
        evidence = {"median_s": None if median == math.inf else round(median, 4), "expected_s": there_and_back_s}
        return Observation(active=far, evidence=evidence)


OFFERS = (NetworkDelay,)
