"""The part of a replica's deployment that is the same on every runtime: by its files, agents and published ports."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from pytest_anomod.host import health, ports
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, Stats
from pytest_anomod.model.source import LineCounter, LogFile, MetricsPage, ResourceFigures, Source, SpanFile
from pytest_anomod.model.system import Replica, ServiceKind, System
from pytest_anomod.runtimes.replica_capabilities import OF_ANY, OF_SERVICES, OF_STORES
from pytest_anomod.runtimes.written_down import WrittenDown

ANSWER_WITHIN_S = 0.5
STORES = frozenset({ServiceKind.CACHE, ServiceKind.DOCSTORE, ServiceKind.QUEUE})
_ENGINES = {"json": "http", "redis": "redis", "postgres": "postgresql"}
"""What a service of a replica runs, by the format of its log."""
C = TypeVar("C")


def no_replica(system: System, otherwise: str) -> str:
    """Why a system without a replica is refused: what can't be done otherwise; "" for one that has a replica."""
    return f"system {system.name!r} has no replica, so {otherwise}" if system.deploy(Replica) is None else ""


def package_of(system: System) -> str:
    """The package of a system's replica; DeploymentError when it has none."""
    replica = system.deploy(Replica)
    if replica is None:
        msg = f"system {system.name!r} has no replica"
        raise DeploymentError(msg)
    return replica.package


def lacking(system: System, service: str, needs: frozenset[type], offers: frozenset[type]) -> frozenset[type]:
    """Those of the needs that a service of a replica will not have: a store has no agent, others no login."""
    others = OF_SERVICES if system.service(service).kind in STORES else OF_STORES
    return needs - (offers - others.keys())


def check_taken(refusal: str) -> None:
    """DeploymentError with the refusal of a system, unless it is ""."""
    if refusal:
        msg = f"{refusal}; use another runtime"
        raise DeploymentError(msg)


def host_options(entry_port: int | None, *, seed: int, coverage: bool, telemetry: bool) -> list[str]:
    """Options of a replica's host program; DeploymentError when the port is taken."""
    options = ["--seed", str(seed)]
    if entry_port is not None:
        ports.check_entry_port(entry_port)
        options += ["--entry-port", str(entry_port)]
    options += [] if coverage else ["--no-coverage"]
    options += [] if telemetry else ["--no-telemetry"]
    return options


class ReplicaDeployment(WrittenDown):
    """What the deployments of replicas share. `directory` holds deployment.json, logs/ and spans/.

    Whatever runs them, services listen on the loopback ports that deployment.json names.
    """

    runtime: str
    capabilities: Mapping[type, Callable[[Any, str], Any]] = OF_ANY
    """What can be done to its services, and what makes the object that does it (None: not now)."""

    def __init__(self, ref: Mapping[str, Json]) -> None:
        super().__init__(ref)
        self._handed_out: set[int] = set()

    # what is there

    @abc.abstractmethod
    def stats(self, service: str) -> Stats | None:
        """Resource use of a service now; None while no process is there."""

    def _as_instance(
        self,
        service: str,
        *,
        state: str,
        pid: int | None,
        start_time: float | None,
        restarts: int,
        inner_address: tuple[str, int] | None,
    ) -> Instance:
        """What deployment.json says of a service, and what its runtime sees of it now."""
        described = self.described(service)
        return Instance(
            service=service,
            kind=ServiceKind(described["kind"]),
            instance_id=f"{service}-{restarts + 1}",
            address=(described.get("host", ports.HOST), described["port"]),
            inner_address=inner_address,
            pid=pid,
            start_time=start_time,
            state=state,
            restarts=restarts,
            engine=_ENGINES[described["log_format"]],
        )

    def sources(self) -> tuple[Source, ...]:
        """Where the telemetry of each service can be had."""
        return tuple(source for service in self.document["services"] for source in self._sources(service))

    def _sources(self, service: str) -> Iterator[Source]:
        described = self.described(service)
        yield self._log(service)
        if described["span_file"]:
            yield SpanFile(service=service, path=self.directory / described["span_file"])
        if described["metrics_url"] is not None:
            yield MetricsPage(service=service, url=described["metrics_url"])
        yield ResourceFigures(service=service)
        if described["agent_url"] is not None:
            yield LineCounter(service=service)

    def _log(self, service: str) -> Source:
        """Where the log of a service is."""
        described = self.described(service)
        return LogFile(service=service, path=self.directory / described["log_file"], format=described["log_format"])

    def answers(self, service: str, timeout_s: float = ANSWER_WITHIN_S) -> bool:
        """Whether the service takes a connection on its public address and answers a health request."""
        described = self.described(service)
        return health.is_well(described["log_format"], (ports.HOST, described["port"]), timeout_s)

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer; all are asked at once."""
        asked = {
            name: (described["log_format"], (described.get("host", ports.HOST), described["port"]))
            for name, described in self.document["services"].items()
        }
        well = health.who_is_well(asked, ANSWER_WITHIN_S)
        return tuple(name for name in asked if name not in well)

    # what can be done to it

    def capability(self, kind: type[C], service: str) -> C | None:
        """What can be done to a service; None where it can't be, or to limits and network while it is down."""
        stores = self.described(service)["agent_url"] is None
        if kind in (OF_SERVICES if stores else OF_STORES):
            return None
        maker = self.capabilities.get(kind)
        return None if maker is None else cast("C | None", maker(self, service))

    def free_port(self) -> int:
        """A port of this deployment's own block that nothing listens on and that was not handed out before."""
        services = self.document["services"].values()
        taken = {described["port"] for described in services} | self._handed_out
        taken |= {urlsplit(described["agent_url"]).port for described in services if described["agent_url"]}
        for port in reversed(range(self.ref["base_port"], self.ref["base_port"] + ports.BLOCK)):
            if port not in taken and ports.is_free(port):
                self._handed_out.add(port)
                return port
        self._handed_out.clear()
        msg = f"no free port in the block of deployment {self.directory} (from {self.ref['base_port']}, {ports.BLOCK})"
        raise DeploymentError(msg)

    def end_programs(self) -> None:
        """End all helper programs, of whatever service."""
        self.programs.end_all()

    def token(self) -> str:
        """What the host and the agents want to be shown."""
        try:
            return Path(self.ref["token_file"]).read_text().strip()
        except OSError as error:
            msg = f"the token of deployment {self.directory} can't be read: {error.strerror}; is it down already?"
            raise DeploymentError(msg) from error
