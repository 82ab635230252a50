"""What drives a system: journeys played at a set rate by a client, every response recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pytest_anomod.model.errors import ScenarioError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop:
    """Arrivals at `rate_rps` journeys a second on a seeded schedule that no slow answer holds up.

    `mix` overrides the weights of the system's journeys by name; None keeps them. `timeout_s` bounds one request.
    """

    module: ClassVar[str] = "pytest_anomod.workloads.open_loop"
    """Who plays it: a module with start(spec, records) -> handle (JSON) and stop(handle)."""

    rate_rps: float | None = None
    mix: Mapping[str, float] | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if self.rate_rps is not None and not 0 < self.rate_rps <= 2_000:
            msg = f"rate_rps={self.rate_rps!r} of the workload must be above 0 and at most 2000 journeys a second"
            raise ScenarioError(msg)
        if not 0 < self.timeout_s <= 60:
            msg = f"timeout_s={self.timeout_s!r} of the workload must be above 0 and at most 60 s"
            raise ScenarioError(msg)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a journey gets back: status (0 when nothing came), body, and the kind of error if there was one."""

    status: int
    body: bytes
    error_kind: str = ""

    @property
    def ok(self) -> bool:
        """True for an answer below 400."""
        return 0 < self.status < 400


class Client(Protocol):
    """How a journey speaks to the system; every exchange is recorded with its trace id.

    `state` is a scratch space that lives as long as the workload: logged-in users, ids seen.
    """

    state: dict[str, Any]

    async def request(
        self,
        method: str,
        path: str,
        *,
        route: str | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | str | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
    ) -> Response:
        """Send one request to the entry (or to the public service `host`); `route` is the path's template."""
