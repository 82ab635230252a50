"""Sources of a deployment's telemetry: frozen values that the readers of modalities understand."""

from __future__ import annotations

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A file that a service appends its log to. `format`: json (ours), redis, postgres, or text (anybody's).

    `number` says which container of a service that has several (instance "<service>.<number>-<start>"); 0: it has one.
    """

    service: str
    path: Path
    format: str = "text"
    number: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineOutput:
    """What the container engine keeps of a container's output, with the time of each line; `container` is its id."""

    service: str
    engine: str
    """Address of the engine, as DOCKER_HOST takes it."""
    container: str
    format: str = "text"
    stderr: bool = True
    """Whether its standard error is part of the log."""
    number: int = 0
    """Which container of the service, as LogFile has it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpanFile:
    """A file that a service appends its finished spans to, one JSON object a line, in our replicas' form."""

    service: str
    path: Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPage:
    """A page of a service in Prometheus' text format or OpenMetrics; `number` as LogFile has it."""

    service: str
    url: str
    number: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResourceFigures:
    """CPU, memory, disk and threads of a service, as `Deployment.stats` has them."""

    service: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LineCounter:
    """An agent inside a service that counts which lines ran, asked through the capability Agent."""

    service: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoSource:
    """Why a service has no source of a modality that it was to have."""

    modality: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OtlpInbox:
    """A directory in which a receiver of ours keeps what services export over OTLP.

    `ours` are services that export by agents of ours, which don't know which instance they are in. `probes` are
    services and the paths of their health checks, whose spans no user caused.
    """

    directory: Path
    ours: tuple[str, ...] = ()
    probes: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Zipkin:
    """The API of a Zipkin server, http://127.0.0.1:9411 say; `names` as Jaeger has it."""

    url: str
    names: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Jaeger:
    """The query API of a Jaeger server, http://127.0.0.1:16686 say.

    `names` are names under which services report, and those services, where the two differ.
    """

    url: str
    names: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """The HTTP API of a Prometheus server; `label` is the label of its series that holds a service's name."""

    url: str
    label: str = "job"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRecord:
    """The file to which the workload writes what its users sent and got; every case has it."""

    path: Path


Source = (
    LogFile
    | EngineOutput
    | SpanFile
    | MetricsPage
    | ResourceFigures
    | LineCounter
    | NoSource
    | OtlpInbox
    | Zipkin
    | Jaeger
    | Prometheus
    | ResponseRecord
)
