"""Fault http_delay: some requests to a service are delayed before they reach it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import within
from pytest_anomod.faults._requests import RequestFault
from pytest_anomod.model import clock
from pytest_anomod.model.fault import Dial, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment

_AT_ONCE = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpDelay(RequestFault):
    """`percent` of the requests with that method, path prefix and header ("": any) come `delay_ms` later."""

    name: ClassVar[str] = "http_delay"
    level: ClassVar[Level] = Level.PERFORMANCE
    dial: ClassVar[Dial] = steps(delay_ms=(100, 250, 500, 1_500, 5_000))

    delay_ms: float = 500

    def __post_init__(self) -> None:
        RequestFault.__post_init__(self)
        within(self, "delay_ms", 50, 10_000, "ms")

    def relay_options(self) -> Mapping[str, object]:
        return {"hold": self.percent / 100, "hold_ms": self.delay_ms, **self.which()}

    def look(self, deployment: Deployment, target: str) -> Observation:
        """Whether the share of requests that are answered no sooner than that is right; they ask for what is not."""
        from concurrent.futures import ThreadPoolExecutor

        count = max(_AT_ONCE, math.ceil(600 / self.percent))
        held_s = self.delay_ms / 1e3

        def timed(_: int) -> tuple[int, float]:
            began = clock.monotonic_s()
            return self.ask(deployment, target, held_s + 2), clock.monotonic_s() - began

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            answers = list(pool.map(timed, range(count)))
        # without an answer a request tells of something else: a target that hangs
        late = sum(status > 0 and took_s >= held_s for status, took_s in answers)
        evidence = {"requests": count, "late": late, "late_from_s": held_s, "expected_share": self.percent / 100}
        return Observation(active=late >= max(2, 0.35 * count * self.percent / 100), evidence=evidence)


OFFERS = (HttpDelay,)
