"""Fault code_delay: a function waits before it does its work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._code import CodeFault
from pytest_anomod.faults._parameters import within
from pytest_anomod.model.fault import Dial, Json, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeDelay(CodeFault):
    """Every call of the function waits `delay_s` seconds and then does what it should."""

    name: ClassVar[str] = "code_delay"
    dial: ClassVar[Dial] = steps(delay_s=(0.06, 0.15, 0.4, 1.5, 5))

    delay_s: float = 0.3

    def __post_init__(self) -> None:
        CodeFault.__post_init__(self)
        within(self, "delay_s", 0.05, 30, "s")

    def patch(self) -> Mapping[str, Json]:
        return {"action": "delay", "delay_s": self.delay_s}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether two probes in a row answer, and no sooner than the delay: one alone may be slow by chance."""
        looks = [self.ask(deployment, target, self.delay_s + 5.0) for _ in range(2)]
        quickest_s = min(took_s for _, took_s in looks)
        evidence = {"quickest_s": round(quickest_s, 4), "delay_s": self.delay_s}
        answered = all("result" in answer or "error" in answer for answer, _ in looks)
        return Observation(active=answered and quickest_s >= 0.8 * self.delay_s, evidence=evidence)


OFFERS = (CodeDelay,)
