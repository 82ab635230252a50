"""Shared by deployments of plain processes: commands that we started, and processes that ran already."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from pytest_anomod.host import files, ports, probes
from pytest_anomod.model.capability import LocalProcess, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance, Stats, instance_of
from pytest_anomod.model.source import Source
from pytest_anomod.model.system import ServiceKind
from pytest_anomod.runtimes.written_down import WrittenDown

C = TypeVar("C")


class OfService:
    """Something that can be done to one service of a deployment."""

    def __init__(self, deployment: Any, service: str) -> None:
        self.deployment = deployment
        self.service = service


class ServicePrograms(OfService):
    """Helper programs on this machine, on behalf of a service; what they print is in undo/<service>.<name>.out."""

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program in a session of its own; its pid. It gets SIGALRM half a second after its deadline."""
        return int(self.deployment.programs.start(self.service, argv, name, deadline_s))

    def running(self) -> Mapping[str, int]:
        return cast("Mapping[str, int]", self.deployment.programs.running(self.service))

    def end(self, name: str) -> None:
        self.deployment.programs.end(self.service, name)


class ServiceProcess(OfService):
    """The process of a service: the one that listens, where a shell or a package manager has started it."""

    def pid(self) -> int | None:
        return instance_of(self.deployment, self.service).pid

    def inner_pid(self) -> int | None:
        return self.pid()


class ServiceLogin(OfService):
    """The address of a store that the user gave for it, or that needs no password."""

    def dsn(self) -> str:
        login = files.read_json(self.deployment.own / "logins.json").get(self.service)
        if login is None:
            msg = f"nobody said how an administrator reaches store {self.service!r} of {self.deployment.system!r}"
            raise DeploymentError(msg)
        return str(login)


class PlainDeployment(WrittenDown):
    """A deployment whose services are processes of this machine."""

    runtime: str
    capabilities: Mapping[type, Callable[[Any, str], Any]] = {LocalProcess: ServiceProcess, Programs: ServicePrograms}
    """What can be done to its services, and what makes the object that does it (None: not to this one, or not now)."""

    @abc.abstractmethod
    def sources(self) -> tuple[Source, ...]:
        """The sources of its telemetry."""

    def as_instance(self, service: str, *, pid: int | None, start_time: float | None, state: str) -> Instance:
        """What is written of a service, and what was seen of it; `restarts` is to be added where they are counted."""
        described = self.described(service)
        address = (described.get("host", ports.HOST), described["port"])
        return Instance(
            service=service,
            kind=ServiceKind(described["kind"]),
            instance_id=f"{service}-1",
            address=address,
            inner_address=address,
            pid=pid,
            start_time=start_time,
            state=state,
            engine=described["engine"],
        )

    def capability(self, kind: type[C], service: str) -> C | None:
        """What can be done to a service; None where it can't be."""
        self.described(service)
        maker = self.capabilities.get(kind)
        return None if maker is None else cast("C | None", maker(self, service))

    def stats(self, service: str) -> Stats | None:
        """Resource use of a service's process and its children now; None while no process is there."""
        from pytest_anomod.host.figures import measure

        instance = instance_of(self, service)
        return None if instance.pid is None else measure(instance.pid, instance.start_time)

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether the service does what its probe asks, where others reach it."""
        described = self.described(service)
        if described["probe"] == "alive":
            try:
                return instance_of(self, service).state == "running"
            except DeploymentError:  # its host is gone, and the service with it
                return False
        address = (described.get("host", ports.HOST), described["port"])
        return probes.is_well(described["probe"], address, timeout_s, described["probe_path"])
