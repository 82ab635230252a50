"""The deployment of a system whose services are containers, whoever started them."""

from __future__ import annotations

import abc
import difflib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pytest_anomod.host import cgroups, net_namespace, probes, processes
from pytest_anomod.host.engine import translated
from pytest_anomod.model import capability as can
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Deployment, Instance, Stats
from pytest_anomod.model.source import EngineOutput, ResourceFigures, Source
from pytest_anomod.model.system import Service, ServiceKind, System
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.containers import seen as looking
from pytest_anomod.runtimes.containers.probes import answers_at_all, kind_of, passes_own_check
from pytest_anomod.runtimes.containers.seen import Seen
from pytest_anomod.runtimes.containers.starts import Starts
from pytest_anomod.runtimes.docker import engine
from pytest_anomod.runtimes.programs import HelperPrograms
from pytest_anomod.safety.originals import OriginalsFile
from pytest_anomod.safety.undo import UndoJournal

if TYPE_CHECKING:
    import docker

C = TypeVar("C")
ENGINES_WITH_LOGIN = ("redis", "postgresql", "mysql")
KEPT_S = 0.05
"""How long what was seen of the containers counts as now."""


def capabilities(*, local: bool) -> frozenset[type]:
    """What can be done to containers: processes, groups and networks need an engine of this machine, rules its root."""
    offered = {can.Lifecycle, can.Programs, can.StoreLogin}
    if local:
        offered |= {can.LocalProcess, can.Volume}
        if cgroups.may_write():
            offered |= {can.ControlGroup}
        if not net_namespace.why_not():
            offered |= {can.NetNamespace, can.Listener, can.Resolver}
    return frozenset(offered)


def lacking(service: Service, needs: frozenset[type], offered: frozenset[type]) -> frozenset[type]:
    """Those of the capabilities that no container of such a service will have."""
    unknown_engine = frozenset() if service.engine in ENGINES_WITH_LOGIN else frozenset({can.StoreLogin})
    return needs - (offered - unknown_engine)


class ContainersDeployment(abc.ABC):
    """The Deployment of containers. The ref holds directory, undo, tag, engine (its URL), local and no secrets.

    `described` says of each service what a System says: {kind, engine, port, probe: {kind, path}}. What is asked of a
    service goes to its first container.
    """

    runtime: str
    domains: tuple[str, ...] = ()
    """Names of its networks: a service may be known by NAME.NETWORK, too."""
    spared_ports: tuple[int, ...] = ()
    """Ports of our own, which no rule over packets may touch."""
    described: Mapping[str, Mapping[str, Any]]
    agents: Mapping[str, Mapping[str, Any]] = {}
    """What was put into services, by name: rows of runtimes/agents.py."""

    def __init__(self, ref: Mapping[str, Json]) -> None:
        self.ref = ref
        self.system: str = ref["system"]
        self.directory = Path(ref["directory"])
        self.undo = UndoJournal(Path(ref["undo"]))
        own = self.directory / "undo"
        self.originals = OriginalsFile(own / "originals.json")
        self.programs = HelperPrograms(own, self.undo, ref["tag"])
        self._starts = Starts(own / "starts.json")
        self._instances: tuple[float, dict[str, tuple[Instance, ...]]] = (float("-inf"), {})
        self._begun: set[str] = set()

    @abc.abstractmethod
    def find(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of the containers of each service, in a fixed order."""

    def is_ours(self, seen: Seen) -> bool:
        """Whether a container belongs to this deployment: no other may be limited."""
        return any(seen.id == one for ids in self.find().values() for one in ids)

    @property
    def client(self) -> docker.DockerClient:
        """The engine; DeploymentError when it does not answer."""
        return engine.connect(self.ref["engine"])

    # what is there

    def seen(self, service: str, number: int = 1) -> Seen:
        """What the engine says of a container now; DeploymentError when it is gone."""
        self._check_known(service)
        ids = self.find().get(service, ())
        if len(ids) < number:
            msg = f"service {service!r} of {self.system!r} has no container {number}: it is gone"
            raise DeploymentError(msg)
        with translated(f"the container of {service!r} can't be seen"):
            return looking.read(self.client.api.inspect_container(ids[number - 1]))

    def instances(self, service: str = "") -> tuple[Instance, ...]:
        """All instances of a service, or of all services, as they are now (or were at most 50 ms ago)."""
        if service:
            self._check_known(service)
        asked_at, instances = self._instances
        if clock.monotonic_s() - asked_at > KEPT_S:
            asked_at = clock.monotonic_s()
            ask = [name for name in self.described if not _all_run(instances.get(name, ()))]
            ids = self.find() if ask else {}
            looked = engine.each(lambda one: self._look(one, ids), ask) if ask else []
            instances = {**instances, **dict(zip(ask, looked, strict=True))}
            self._instances = asked_at, instances  # at once, as others may be asking too
        return tuple(one for name in ([service] if service else self.described) for one in instances[name])

    def first(self, service: str) -> Instance:
        """The instance of a service that is acted on, as it is now."""
        return self.instances(service)[0]

    def forget(self) -> None:
        """Ask the engine again the next time: something was just changed."""
        self._instances = float("-inf"), self._instances[1]

    def _look(self, service: str, ids: Mapping[str, tuple[str, ...]]) -> tuple[Instance, ...]:
        numbers = range(1, max(1, len(ids.get(service, ()))) + 1)
        several = len(numbers) > 1
        return tuple(self._look_at(service, number if several else 0) for number in numbers)

    def _look_at(self, service: str, number: int) -> Instance:
        row = self.described[service]
        try:
            seen = self.seen(service, max(1, number))
        except DeploymentError:
            if self.find().get(service):
                raise
            return self._instance(service, number, None, "stopped", None)
        state = {"running": "running", "paused": "running", "restarting": "restarting"}.get(seen.status, "stopped")
        pid = looking.program_of(seen, row["port"]) if state == "running" and self.ref["local"] else None
        if state == "running" and self.ref["local"] and (pid is None or not self._has_begun(service, seen)):
            state, pid = "restarting", None
        return self._instance(service, number, seen, state, pid)

    def _has_begun(self, service: str, seen: Seen) -> bool:
        """Whether a program that was just started listens; until then a service is not back.

        What must hold for a service after a restart, too, is put in as soon as somebody sees that.
        """
        from pytest_anomod.runtimes.containers.network import hide_again

        key, port = f"{seen.id} {seen.started_at}", self.described[service]["port"]
        if key not in self._begun and (not port or looking.is_listening(seen.pid, port)):
            hide_again(self, service, seen)
            self._begun.add(key)
        return key in self._begun

    def _instance(self, service: str, number: int, seen: Seen | None, state: str, pid: int | None) -> Instance:
        row = self.described[service]
        name = f"{service}.{number}" if number else service
        start = self._starts.number(seen) if seen is not None else 1
        inner = (seen.address or ("127.0.0.1" if seen.host_network else "")) if seen is not None else ""
        return Instance(
            service=service,
            kind=ServiceKind(row["kind"]),
            engine=row["engine"],
            instance_id=f"{name}-{start}",
            address=self._address(seen, row["port"]),
            inner_address=(inner, row["port"]) if inner and state == "running" else None,
            pid=pid,
            start_time=looking.start_time(pid),
            state=state,
            restarts=start - 1,
        )

    def _address(self, seen: Seen | None, port: int) -> tuple[str, int]:
        """Where it is reached from here: its own address on an engine of this machine, else where it is published."""
        if seen is None:
            return "127.0.0.1", 0
        published = seen.published.get(port)
        if seen.address and self.ref["local"]:
            return seen.address, port
        return ("127.0.0.1", port if seen.host_network else published or 0)

    def stats(self, service: str) -> Stats | None:
        """Resource use of all that runs in a service's containers, by their control groups; None while none runs."""
        from pytest_anomod.runtimes.containers.figures import figures_of, summed

        return summed([figures_of(self, one, number) for number, one in enumerate(self.instances(service), 1)])

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether each container of the service does what its probe asks."""
        self._check_known(service)
        instances = enumerate(self.instances(service), 1)
        return all(one.state == "running" and self._answers(one, number, timeout_s) for number, one in instances)

    def _answers(self, one: Instance, number: int, timeout_s: float) -> bool:
        """Whether one container does."""
        row = self.described[one.service]
        asked, port = row["probe"]["kind"], row["port"]
        kind = asked
        if asked in ("auto", "health"):
            seen = self.seen(one.service, number)
            kind = kind_of(asked, row["engine"], seen, port)
            if kind == "health":
                return passes_own_check(self.client, seen, timeout_s)
        if not port:
            return True  # it listens nowhere: that it runs is all there is to see
        if asked == "auto" and kind == "http":
            return answers_at_all(one.address, timeout_s)
        return probes.is_well(kind, one.address, timeout_s, row["probe"]["path"])

    def unhealthy(self) -> tuple[str, ...]:
        """Names of services that don't answer."""
        names = list(self.described)
        return tuple(name for name, well in zip(names, engine.each(self.answers, names), strict=True) if not well)

    def sources(self) -> tuple[Source, ...]:
        """What the engine keeps of each container's output, and the figures of each service."""
        found: list[Source] = []
        for service, ids in self.find().items():
            found += [
                EngineOutput(service=service, engine=self.ref["engine"], container=one, number=number)
                for number, one in enumerate(ids, 1 if len(ids) > 1 else 0)
            ]
        figures = (ResourceFigures(service=name) for name in self.described)
        return (*found, *figures, *agents.sources(cast("Deployment", self), self.agents))

    # what can be done to it

    @functools.cached_property
    def _makers(self) -> Mapping[type, Any]:
        from pytest_anomod.runtimes.containers.capabilities import OF_CONTAINERS

        offered = capabilities(local=bool(self.ref["local"]))
        return {kind: maker for kind, maker in OF_CONTAINERS.items() if kind in offered}

    def capability(self, kind: type[C], service: str) -> C | None:
        """What can be done to a service now; None where it can't be, or not to a service that is down."""
        self._check_known(service)
        if kind is can.Agent:
            return cast("C | None", agents.agent_of(cast("Deployment", self), self.agents, service))
        maker = self._makers.get(kind)
        return None if maker is None else maker(self, service)

    def end_programs(self) -> None:
        """End all helper programs, of whatever service."""
        self.programs.end_all()

    def _check_known(self, service: str) -> Mapping[str, Any]:
        if service not in self.described:
            near = difflib.get_close_matches(service, self.described, n=3) or sorted(self.described)
            msg = f"deployment of {self.system!r} has no service {service!r}; did you mean {', '.join(near)}?"
            raise DeploymentError(msg)
        return self.described[service]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.system} in {self.directory}>"


def _all_run(instances: tuple[Instance, ...]) -> bool:
    """Whether all that were seen to run are there still: then the engine need not be asked."""
    return bool(instances) and all(
        one.pid is not None and one.start_time is not None and processes.is_same(one.pid, one.start_time)
        for one in instances
    )


def describe(system: System) -> dict[str, dict[str, Json]]:
    """Of each service what a deployment in another process has to know."""
    return {
        service.name: {
            "kind": str(service.kind),
            "engine": service.engine,
            "port": service.port,
            "probe": {"kind": service.probe.kind, "path": service.probe.path},
        }
        for service in system.services
    }
