"""Fault http_abort: some requests to a service are answered with an error before they reach it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pytest_anomod.faults._parameters import whole
from pytest_anomod.faults._requests import RequestFault
from pytest_anomod.model.errors import InjectionError
from pytest_anomod.model.fault import Dial, Level, Observation
from pytest_anomod.model.severity import steps

if TYPE_CHECKING:
    from pytest_anomod.model.runtime import Deployment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpAbort(RequestFault):
    """`percent` of the requests with that method, path prefix and header ("": any) get `status` and go no further."""

    name: ClassVar[str] = "http_abort"
    level: ClassVar[Level] = Level.SERVICE
    dial: ClassVar[Dial] = steps(percent=(10, 25, 50, 75, 100))

    status: int = 503

    def __post_init__(self) -> None:
        RequestFault.__post_init__(self)
        whole(self, "status", 500, 599, "")

    def relay_options(self) -> Mapping[str, object]:
        return {"abort": self.percent / 100, "abort_status": self.status, **self.which()}

    def prepare(self, deployment: Deployment, target: str) -> None:
        """See that a probe is answered, and not with that status: nobody could tell whose it is."""
        if self.status_now(deployment, target) == self.status:
            msg = f"{target!r} itself answers a probe below {self.path} with {self.status}; abort with another status"
            raise InjectionError(msg)

    def look(self, deployment: Deployment, target: str) -> Observation:
        """Whether requests of that kind are answered with the status; they ask for what no service has."""
        count = max(8, math.ceil(600 / self.percent))
        statuses = [self.ask(deployment, target, 1.0) for _ in range(count)]
        aborted = statuses.count(self.status)
        evidence = {"requests": count, "aborted": aborted, "expected_share": self.percent / 100}
        return Observation(active=aborted >= max(1, 0.35 * count * self.percent / 100), evidence=evidence)


OFFERS = (HttpAbort,)
