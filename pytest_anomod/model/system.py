"""What a system is: its services, who calls whom, where users enter, what they do there."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.source import Source

if TYPE_CHECKING:
    from pytest_anomod.model.workload import Client, Workload


class ServiceKind(StrEnum):
    """What a service is for; faults and checks choose their ways by it."""

    GATEWAY = "gateway"
    APP = "app"
    CACHE = "cache"
    DOCSTORE = "docstore"
    QUEUE = "queue"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How to see that a service is healthy.

    `kind`: http (GET `path` is answered below 500), tcp, redis, postgresql, health (the container's own health check),
    alive (its process runs: for a service that listens on no port), or auto: health if the container has a check, else
    by the engine.
    """

    kind: str = "auto"
    path: str = "/"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One logical service; `calls` names the services and stores it calls itself.

    `engine` is what it runs, where faults and probes must know: redis, postgresql, mysql, mongodb, rabbitmq ..., http
    for what speaks HTTP, "" for anything else. `port` is where others reach it; 0 where its runtime knows.
    """

    name: str
    kind: ServiceKind
    calls: tuple[str, ...] = ()
    engine: str = "http"
    port: int = 0
    probe: Probe = Probe()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A user path: `play` sends one or more requests through the client; `weight` is its share of the mix."""

    name: str
    weight: float
    play: Callable[[Client, Random], Awaitable[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A re-implementation of ours, as processes or containers: the package of that name below `replicas`."""

    package: str


@dataclasses.dataclass(frozen=True, slots=True)
class Agents:
    """What is put into a service without touching its code: traces, line coverage and faults in its functions.

    `language` is python, java, node or go. `source` is the directory of its own sources as its process sees it, "" for
    its working directory; `packages` are prefixes of its own packages (Java: com.acme), () for all that is below
    `source`. A service that has an exporter of its own keeps it without `traces`.
    """

    language: str
    source: str = dataclasses.field(default="", kw_only=True)
    packages: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)
    traces: bool = dataclasses.field(default=True, kw_only=True)
    coverage: bool = dataclasses.field(default=True, kw_only=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFiles:
    """Compose files as `docker compose -f A -f B` takes them; paths are absolute.

    `services` is a subset to bring up with what it depends on; () for all. Those in `otlp` export over OTLP already,
    and are told to export to us; `metrics` are services and the paths of their pages for Prometheus. `jaeger` and
    `zipkin` are services of the files that keep the others' traces; `reported_as` has names in those traces, and the
    services they stand for. `names` are services by the names that they have here and those in the files, where these
    differ; all else here goes by the former. `agents` says of services what is put into them. All that is exported to
    us is sent on to `forward`, the URL of another OTLP endpoint, if there is one.
    """

    files: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    otlp: tuple[str, ...] = ()
    metrics: tuple[tuple[str, str], ...] = ()
    jaeger: str = ""
    zipkin: str = ""
    reported_as: tuple[tuple[str, str], ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    agents: tuple[tuple[str, Agents], ...] = ()
    forward: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A service as a plain process: words, or one line for a shell, and the environment beside the caller's own.

    {NAME} in words and values stands for the port that service NAME was given. It is told its own as PORT, unless it
    has a `port` of its own choice.
    """

    service: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    restart: bool = True
    """Whether it is started again when it ends."""
    port: int = 0
    """The port that it listens on whatever it is told; 0 for one that takes ours."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Services as plain processes of this machine, started in `directory` (absolute), in this order.

    `logins` are the addresses of stores for an administrator, by service, with {NAME} for ports:
    postgresql://user:password@127.0.0.1:{db}/shop. `otlp` has what services export over OTLP received by us; `agents`
    says of services what is put into them; `forward` is as in ComposeFiles.
    """

    commands: tuple[Command, ...]
    directory: str
    logins: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    otlp: bool = False
    agents: tuple[tuple[str, Agents], ...] = ()
    forward: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A system that runs already and is not ours: containers (names or ids) and pids by service, its entry's URL.

    A pid is a number, or the absolute path of the file that holds it.
    It is never taken down; only faults that are taken out without a trace are allowed, unless `allow` names others.
    `logins` are the addresses of stores for an administrator, by service.
    """

    entry: str
    containers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pids: Mapping[str, int | str] = dataclasses.field(default_factory=dict)
    allow: tuple[str, ...] = ()
    logins: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """A system in Kubernetes: manifests, brought up in a namespace of ours, or what runs in `namespace` already.

    `paths` are files (also what `helm template` printed), folders of them, or Kustomize directories, all absolute.
    `pods` are the labels of each service's pods, `services` the names of Services where they differ from the names
    here. What runs in a namespace already is never taken down; only faults that are taken out without a trace are
    allowed there, unless `allow` names others. `logins` are addresses of stores for an administrator, by service, with
    {host} and {port} for where the store is reached. Services of manifests that are in `otlp` export over OTLP already,
    and are told to export to us; `forward` is as in ComposeFiles.
    """

    pods: Mapping[str, Mapping[str, str]]
    paths: tuple[str, ...] = ()
    namespace: str = ""
    services: Mapping[str, str] = dataclasses.field(default_factory=dict)
    otlp: tuple[str, ...] = ()
    forward: str = ""
    allow: tuple[str, ...] = ()
    logins: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)


Deployable = Replica | ComposeFiles | Commands | Running | Manifests
"""What brings a system up."""

D = TypeVar("D")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What a checkout of the system that a replica stands for has: how `--anomod-compose` reads its compose files.

    `files` are where they may be in the checkout, the first that is there is taken. `names` are other names that a
    service may have in them. Services that are no store speak HTTP, unless `protocol` is "", and listen on `port` where
    the files do not say. `own_stores` are endings: what a store here keeps for `ts-x-service` is in `ts-x` with one
    of these. `entries` are services that users may enter by, the first that is there is taken. `reported_as` is as in
    ComposeFiles.
    """

    files: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    entries: tuple[str, ...] = ()
    protocol: str = "http"
    port: int = 0
    own_stores: tuple[str, ...] = ()
    reported_as: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The definition of an application under test.

    `deploys` says what can bring it up; a runtime takes the one that it understands. `telemetry` are sources of its
    own beside those that a runtime offers (a Zipkin server, say). `probe_headers` makes the headers with which a probe
    may ask a service directly (an administrator's token, say); they are made when they are needed and written nowhere.
    `login` takes the entry's URL and gives the headers that let a user in (a bearer, a cookie), for suites whose files
    have an old one in them; it is asked for each play, and what it gives is written nowhere. `login_variables` are the
    variables of the environment that suites read a token from. `workload` drives it where a test says nothing; None is
    an open loop of its journeys. `original` is for replicas: what they stand for.
    """

    name: str
    services: tuple[Service, ...]
    entry: str
    journeys: tuple[Journey, ...]
    rate_rps: float = 30.0
    deploys: tuple[Deployable, ...] = ()
    telemetry: tuple[Source, ...] = ()
    probe_headers: Callable[[], Mapping[str, str]] = dict
    login: Callable[[str], Mapping[str, str]] | None = None
    login_variables: tuple[str, ...] = ()
    workload: Workload | None = None
    original: Original | None = None

    def service(self, name: str) -> Service:
        """The service of that name; ScenarioError with the nearest names when there is none."""
        for service in self.services:
            if service.name == name:
                return service
        names = [service.name for service in self.services]
        near = difflib.get_close_matches(name, names, n=3) or names
        msg = f"system {self.name!r} has no service {name!r}; did you mean {', '.join(near)}?"
        raise ScenarioError(msg)

    def deploy(self, kind: type[D]) -> D | None:
        """The first of `deploys` that is of a kind; None when there is none."""
        return next((found for found in self.deploys if isinstance(found, kind)), None)

    def callers(self, name: str) -> tuple[str, ...]:
        """Names of the services that call `name` directly."""
        return tuple(service.name for service in self.services if name in service.calls)
