"""What faults of single requests share: which requests are meant, and how Chaos Mesh would name them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_anomod.faults._chaos_mesh import resource
from pytest_anomod.faults._parameters import matches, within
from pytest_anomod.faults._relay import RelayedFault
from pytest_anomod.model.fault import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault(RelayedFault):
    """`percent` of the requests with that method ("" for any) and path prefix meet the fault."""

    percent: float = 70
    method: str = "POST"
    path: str = "/"

    def __post_init__(self) -> None:
        within(self, "percent", 10, 100, "%")
        matches(self, "method", "[A-Z]*", "POST, or be empty for any method")
        matches(self, "path", r"/[!-~]*", "/api/v1/orders, the beginning of a path")

    def which(self) -> dict[str, object]:
        """Options of helpers/proxy.py that say which requests are meant."""
        return {"prefix": self.path, **({"method": self.method} if self.method else {})}

    def http_chaos(self, target: str, side: str, **what: Json) -> Mapping[str, Json] | None:
        """Only for all requests: HTTPChaos has a percentage of pods, none of requests."""
        if self.percent < 100:
            return None
        method = {"method": self.method} if self.method else {}
        return resource("HTTPChaos", target, **{"target": side, "path": f"{self.path}*", **what, **method})
