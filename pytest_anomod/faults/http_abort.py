"""A service some of whose requests are answered with an error before they reach it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import matches, whole, within
from pytest_anomod.faults._relay import RelayedFault, requests
from pytest_anomod.faults._speak import ask
from pytest_anomod.model.fault import Json, Level, Observation

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpAbort(RelayedFault):
    """`percent` of the requests with that method ("" for any) and path prefix get `status` and go no further."""

    name: ClassVar[str] = "http_abort"
    level: ClassVar[Level] = Level.SERVICE

    percent: float = 70
    status: int = 503
    method: str = "POST"
    path: str = "/"

    def __post_init__(self) -> None:
        within(self, "percent", 10, 100, "%")
        whole(self, "status", 500, 599, "")
        matches(self, "method", "[A-Z]*", "POST, or be empty for any method")
        matches(self, "path", r"/[!-~]*", "/api/v1/orders, the beginning of a path")

    def relay_options(self) -> Mapping[str, object]:
        return {"abort": self.percent / 100, "abort_status": self.status, **requests(self.method, self.path)}

    def active(self, deployment: Deployment, target: str) -> Observation:
        """Whether requests of that kind are answered with the status; they ask for what no service has."""
        count = max(8, math.ceil(600 / self.percent))
        address = deployment.instance(target).address
        statuses = [ask(address, self.method or "GET", self.path, 1.0) for _ in range(count)]
        aborted = statuses.count(self.status)
        evidence = {"requests": count, "aborted": aborted, "expected_share": self.percent / 100}
        return Observation(active=aborted >= max(1, 0.35 * count * self.percent / 100), evidence=evidence)

    def chaos_mesh(self, target: str) -> Mapping[str, Json] | None:
        """Only for all requests: HTTPChaos has a percentage of pods, none of requests."""
        if self.percent < 100:
            return None
        spec = {
            "mode": "all",
            "selector": {"labelSelectors": {"app": target}},
            "target": "Response",
            "path": f"{self.path}*",
            "replace": {"code": self.status},
        }
        return {"kind": "HTTPChaos", "spec": {**spec, "method": self.method} if self.method else spec}


OFFERS = (HttpAbort,)
