"""Shared by faults of single requests: which requests they affect, and how a target answers these without the fault."""

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
    """`percent` of the requests with that method ("" for any), path prefix and header are affected.

    A `header` ("X-Group: beta") selects one group of users, if all their requests have it; "" for all.
    """

    percent: float = 70
    method: str = "POST"
    path: str = "/"
    header: str = ""

    def __post_init__(self) -> None:
        RelayedFault.__post_init__(self)
        within(self, "percent", 10, 100, "%")
        matches(self, "method", "[A-Z]*", "POST, or be empty for any method")
        matches(self, "path", r"/[!-~]*", "/api/v1/orders, the beginning of a path")
        matches(self, "header", r"|[A-Za-z0-9-]+: [!-~][ -~]*", "X-Group: beta, or be empty for any request")

    def check(self, system: System, target: str) -> None:
        check_engine(self, system, target, "http")

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that a probe is answered while nothing is in its way: else the fault's end could not be seen."""
        self.status_now(deployment, target)

    def status_now(self, deployment: Deployment, target: str) -> int:
        """The status that a probe of ours gets; InjectionError when it gets none, so that nothing could be seen."""
        status = self.ask(deployment, target, _ANSWER_S)
        if not status:
            method = self.method or "GET"
            msg = f"{target!r} gives no HTTP answer to a probe ({method} below {self.path}, without a Host)"
            raise InjectionError(msg)
        return status

    def ask(self, deployment: Deployment, target: str, timeout_s: float) -> int:
        """Status of a request of the kind that is meant, for what no service has; 0 for no answer."""
        address = instance_of(deployment, target).address
        return ask(address, self.method or "GET", self.path, timeout_s, self.header)

    def which(self) -> dict[str, object]:
        """Options of helpers/proxy.py that say which requests are meant."""
        which = {"prefix": self.path, "method": self.method, "header": self.header}
        return {option: text for option, text in which.items() if text}
