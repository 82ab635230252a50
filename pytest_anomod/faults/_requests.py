"""What faults of single requests share: which requests are meant, and what a target says to them by itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_anomod.faults._parameters import check_engine, matches, within
from pytest_anomod.faults._relay import RelayedFault
from pytest_anomod.faults._speak import ask
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.runtime import instance_of

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment
    from pytest_anomod.model.system import System

_ANSWER_S = 5.0


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

    def check(self, system: System, target: str) -> None:
        check_engine(self, system, target, "http")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that a probe is answered while nothing is in its way: else the fault's end could not be seen."""
        self.status_now(deployment, target)

    def status_now(self, deployment: Deployment, target: str) -> int:
        """The status that a probe of ours gets; InjectionError when it gets none, so that nothing could be seen."""
        method = self.method or "GET"
        status = ask(instance_of(deployment, target).address, method, self.path, _ANSWER_S)
        if not status:
            msg = f"{target!r} gives no HTTP answer to a probe ({method} below {self.path}, without a Host)"
            raise InjectionError(msg)
        return status

    def which(self) -> dict[str, object]:
        """Options of helpers/proxy.py that say which requests are meant."""
        return {"prefix": self.path, **({"method": self.method} if self.method else {})}
