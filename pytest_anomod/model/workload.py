"""What drives a system: journeys played at a set rate by a client, every response recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, ClassVar, Protocol

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.fault import Json


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoop:
    """Arrivals at `rate_rps` journeys a second on a seeded schedule that slow answers do not delay.

    `mix` overrides the weights of the system's journeys by name; None keeps them. `timeout_s` bounds one request.
    """

    module: ClassVar[str] = "pytest_anomod.workloads.open_loop"
    """Who plays it: a module with start(spec, records) -> handle (JSON) and stop(handle)."""

    closed_loop: ClassVar[bool] = False
    """Whether a slow answer holds up what would be sent next."""

    usual_rps: ClassVar[float | None] = None
    """The rate where none is set; None is the system's own."""

    rate_rps: float | None = None
    mix: Mapping[str, float] | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _check_tempo(self.rate_rps, self.timeout_s, "journeys")

    @property
    def title(self) -> str:
        """What the label calls it."""
        return "open_loop"

    def spec(self) -> dict[str, Json]:
        """What the module's `start` needs to know of it, beside the rate."""
        return {"mix": dict(self.mix) if self.mix is not None else None, "timeout_s": self.timeout_s}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A Python HTTP test suite as the workload: its tests one after the other, over and over (or `once`).

    `path` is the absolute path of a file or folder that pytest can collect. `bases` are URLs that the tests have
    written into them, each with the public service that is meant ("" is the entry): requests there go to the
    deployment. A closed loop: a test begins when the one before is over, and at most `rate_rps` (60 unless set) begin a
    second. The order is another one each round. No request waits longer than `timeout_s` for the next byte.
    """

    module: ClassVar[str] = "pytest_anomod.workloads.suite"
    closed_loop: ClassVar[bool] = True
    usual_rps: ClassVar[float | None] = 60.0
    """Tests are of one call or few: a system's rate of journeys would leave too few of them in a window."""

    path: str
    once: bool = False
    bases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rate_rps: float | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _check_tempo(self.rate_rps, self.timeout_s, "tests")

    @property
    def title(self) -> str:
        """What the label calls it: the file, not where it lies."""
        return f"suite:{PurePath(self.path).name}"

    def spec(self) -> dict[str, Json]:
        """What the module's `start` needs to know of it, beside the rate."""
        return {"suite": self.path, "once": self.once, "bases": dict(self.bases), "timeout_s": self.timeout_s}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """Journeys read from a file of another tool: an OpenAPI document, a HAR recording, a Postman collection.

    Each is tried before the case; what the system does not answer below 400 twice is left out. What is left is sent as
    an open loop sends it. `deletions` has requests sent that delete something; they are left out without it.
    """

    module: ClassVar[str] = "pytest_anomod.workloads.scripted"
    closed_loop: ClassVar[bool] = False
    usual_rps: ClassVar[float | None] = None
    kinds: ClassVar[tuple[str, ...]] = ("openapi", "har", "postman")

    kind: str
    path: str
    deletions: bool = False
    rate_rps: float | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _check_kind(self.kind, self.kinds)
        _check_tempo(self.rate_rps, self.timeout_s, "journeys")

    @property
    def title(self) -> str:
        """What the label calls it: the kind and the file, not where it lies."""
        return f"{self.kind}:{PurePath(self.path).name}"

    def spec(self) -> dict[str, Json]:
        """What the module's `start` needs to know of it, beside the rate."""
        return {"kind": self.kind, "path": self.path, "deletions": self.deletions, "timeout_s": self.timeout_s}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A program of another tool that sends, a locust file or a k6 script, through a proxy of ours that records.

    A closed loop of `users` users. `rate_rps` is the most requests a second that the proxy lets through. `bases` are
    URLs written into the file that mean a service of the system ("" is the entry).
    """

    module: ClassVar[str] = "pytest_anomod.workloads.driver"
    closed_loop: ClassVar[bool] = True
    usual_rps: ClassVar[float | None] = 60.0
    kinds: ClassVar[tuple[str, ...]] = ("locust", "k6")

    kind: str
    path: str
    users: int = 4
    bases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rate_rps: float | None = None
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        _check_kind(self.kind, self.kinds)
        _check_tempo(self.rate_rps, self.timeout_s, "requests")
        if not 1 <= self.users <= 500:
            msg = f"users={self.users!r} of the workload must be from 1 to 500"
            raise ScenarioError(msg)

    @property
    def title(self) -> str:
        """What the label calls it: the kind and the file, not where it lies."""
        return f"{self.kind}:{PurePath(self.path).name}"

    def spec(self) -> dict[str, Json]:
        """What the module's `start` needs to know of it, beside the rate."""
        return {
            "kind": self.kind, "path": self.path, "users": self.users, "bases": dict(self.bases),
            "timeout_s": self.timeout_s,
        }  # fmt: skip


Workload = OpenLoop | Suite | Scripted | Driver


def workload_from_json(document: Mapping[str, Json]) -> Workload:
    """The workload whose fields were written down; TypeError names a field that none has."""
    if "kind" in document:
        return (Driver if document["kind"] in Driver.kinds else Scripted)(**document)
    return Suite(**document) if "path" in document else OpenLoop(**document)


def is_replayed(title: str) -> bool:
    """Whether the workload of a label sent what was written without us, in a closed loop: errors may be meant."""
    return title.partition(":")[0] in ("suite", *Driver.kinds)


def _check_kind(kind: str, kinds: tuple[str, ...]) -> None:
    if kind not in kinds:
        msg = f"kind={kind!r} of the workload is none of {', '.join(kinds)}"
        raise ScenarioError(msg)


def _check_tempo(rate_rps: float | None, timeout_s: float, what: str) -> None:
    if rate_rps is not None and not 0 < rate_rps <= 2_000:
        msg = f"rate_rps={rate_rps!r} of the workload must be above 0 and at most 2000 {what} a second"
        raise ScenarioError(msg)
    if not 0 < timeout_s <= 60:
        msg = f"timeout_s={timeout_s!r} of the workload must be above 0 and at most 60 s"
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
