"""What deployments of other people's processes share: commands that we started, and what ran already."""

from __future__ import annotations

import abc
import difflib
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pytest_anomod.host import files, ports, probes
from pytest_anomod.model import clock
from pytest_anomod.model.capability import LocalProcess, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, Stats, instance_of
from pytest_anomod.model.source import Source
from pytest_anomod.model.system import ServiceKind
from pytest_anomod.runtimes.programs import HelperPrograms
from pytest_anomod.safety.originals import OriginalsFile
from pytest_anomod.safety.undo import UndoJournal

INSTANCES_KEPT_S = 0.05
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


class PlainDeployment(abc.ABC):
    """A deployment whose services are described in its deployment.json, and are processes of this machine.

    The ref holds paths and numbers, no secrets. What we keep for ourselves is below undo/ of its directory.
    """

    runtime: str
    capabilities: Mapping[type, Callable[[Any, str], Any]] = {LocalProcess: ServiceProcess, Programs: ServicePrograms}
    """What can be done to its services, and what makes the object that does it (None: not to this one, or not now)."""

    def __init__(self, ref: Mapping[str, Json]) -> None:
        self.ref = ref
        self.system: str = ref["system"]
        self.directory = Path(ref["directory"])
        self.own = self.directory / "undo"
        self.undo = UndoJournal(Path(ref["undo"]))
        self.originals = OriginalsFile(self.own / "originals.json")
        self.programs = HelperPrograms(self.own, self.undo, ref["tag"])
        self._instances: tuple[float, tuple[Instance, ...]] = (float("-inf"), ())

    @functools.cached_property
    def document(self) -> Mapping[str, Any]:
        """What is known of it (deployment.json); DeploymentError when it is gone."""
        document = files.read_json(self.directory / "deployment.json")
        if not document:
            msg = f"deployment of {self.system!r} is gone or never came up: no deployment.json in {self.directory}"
            raise DeploymentError(msg)
        return document

    @property
    def entry_url(self) -> str:
        """Where users come in."""
        return str(self.document["entry_url"])

    @property
    def urls(self) -> Mapping[str, str]:
        """Services that users reach, and their base URLs."""
        return dict(self.document["urls"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever uses it should know."""
        return tuple(self.document["notes"])

    def instances(self, service: str = "") -> tuple[Instance, ...]:
        """All instances, or the one of a service, as they are now (or were at most 50 ms ago)."""
        if service:
            self.described(service)
        asked_at_s, instances = self._instances
        if clock.monotonic_s() - asked_at_s > INSTANCES_KEPT_S:
            asked_at_s = clock.monotonic_s()
            instances = self._look()
            self._instances = (asked_at_s, instances)
        return tuple(one for one in instances if one.service == service) if service else instances

    def forget_instances(self) -> None:
        """Have the next one who asks see what is now."""
        self._instances = (float("-inf"), ())

    @abc.abstractmethod
    def _look(self) -> tuple[Instance, ...]:
        """All instances, as they are now."""

    @abc.abstractmethod
    def sources(self) -> tuple[Source, ...]:
        """Where its telemetry can be had."""

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

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer; empty when all is well."""
        from concurrent.futures import ThreadPoolExecutor

        names = list(self.document["services"])
        with ThreadPoolExecutor(max_workers=8) as pool:
            return tuple(name for name, well in zip(names, pool.map(self.answers, names), strict=True) if not well)

    def described(self, service: str) -> Mapping[str, Any]:
        """What deployment.json says of a service; DeploymentError with the nearest names for an unknown one."""
        services: Mapping[str, Any] = self.document["services"]
        if service not in services:
            near = difflib.get_close_matches(service, services, n=3) or sorted(services)
            msg = f"deployment of {self.system!r} has no service {service!r}; did you mean {', '.join(near)}?"
            raise DeploymentError(msg)
        return cast("Mapping[str, Any]", services[service])

    def close_journal(self) -> None:
        """Note that all that the undo journal says of this deployment is undone: it is gone."""
        for entry_id, entry in self.undo.open_entries():
            if entry.get("ref", {}).get("directory") == str(self.directory):
                self.undo.done(entry_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.system} in {os.fspath(self.directory)}>"
