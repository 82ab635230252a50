"""The deployment of a replica in containers, usable from any process that has its ref."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.host import cgroups, processes
from pytest_anomod.host.engine import container_figures
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, Stats, instance_of
from pytest_anomod.model.source import EngineOutput, Source
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.capabilities import listens, of_containers
from pytest_anomod.runtimes.docker.engine import translated
from pytest_anomod.runtimes.replica import ReplicaDeployment

if TYPE_CHECKING:
    import docker


class DockerDeployment(ReplicaDeployment):
    """The Deployment of the Docker runtime: its containers, told apart by their labels.

    On an engine of this machine (Linux) pids are those that this machine knows. Where containers run in a machine of
    their own (Docker Desktop) there are none, and figures come from the engine.
    """

    runtime = "docker"

    def __init__(self, ref: Mapping[str, Json]) -> None:
        super().__init__(ref)
        self._seen: dict[str, Instance] = {}
        self._groups: dict[str, tuple[int, cgroups.ControlGroup | None]] = {}
        self.capabilities = of_containers(local=bool(ref.get("local")))

    @property
    def client(self) -> docker.DockerClient:
        """The engine; DeploymentError when it does not answer."""
        return docker_engine.connect(self.ref["engine"])

    def container(self, service: str) -> str:
        """Name of the container of a service."""
        return f"{self.ref['id']}-{service}"

    def network(self) -> str:
        """Name of the private network."""
        return str(self.ref["id"])

    # what is there

    def _look(self) -> tuple[Instance, ...]:
        """One that was seen to run and whose process is still there runs: the engine is asked about the others."""
        names = list(self.document["services"])
        ask = [name for name in names if not self._still_runs(name)]
        if ask:
            with translated(f"the containers of {self.system!r} can't be seen"):
                for name, instance in zip(ask, docker_engine.each(self._inspect, ask), strict=True):
                    self._seen[name] = instance
        return tuple(self._counted(self._seen[name]) for name in names)

    def _counted(self, instance: Instance) -> Instance:
        """The instance by its number: its program counts its launches, a moment after it begins."""
        restarts = max(0, self._launches(instance.service) - 1)
        if restarts == instance.restarts:
            return instance
        return dataclasses.replace(instance, restarts=restarts, instance_id=f"{instance.service}-{restarts + 1}")

    def _still_runs(self, service: str) -> bool:
        seen = self._seen.get(service)
        return (
            seen is not None
            and seen.pid is not None
            and seen.start_time is not None
            and processes.is_same(seen.pid, seen.start_time)
        )

    def _inspect(self, service: str) -> Instance:
        found = self._found(service)
        word, pid = self._state(found)
        if pid is not None and not self._has_begun(service, pid):
            word, pid = "restarting", None
        address = found["NetworkSettings"]["Networks"].get(self.network(), {}).get("IPAddress")
        return self._as_instance(
            service,
            state=word,
            pid=pid,
            start_time=processes.start_time(pid) if pid else None,
            restarts=max(0, self._launches(service) - 1),
            inner_address=(address, int(self.described(service)["port"])) if address else None,
        )

    def state_of(self, service: str) -> str:
        """What the engine says of a service, in our words."""
        return self._state(self._found(service))[0]

    def _found(self, service: str) -> Mapping[str, Any]:
        """What the engine has of a container."""
        import docker.errors

        try:
            found: Mapping[str, Any] = self.client.api.inspect_container(self.container(service))
        except docker.errors.NotFound:
            return {"State": {"Status": "removed", "Pid": 0}, "NetworkSettings": {"Networks": {}}}
        return found

    def _state(self, found: Mapping[str, Any]) -> tuple[str, int | None]:
        """The state of a container in our words, and the pid of its program where there is one here."""
        state = found["State"]
        pid = _inner_process(int(state.get("Pid") or 0)) if state["Status"] == "running" else None
        word = {"running": "running", "paused": "running", "restarting": "restarting"}.get(state["Status"], "stopped")
        if word == "running" and pid is None and sys.platform == "linux" and self.ref["local"]:
            word = "restarting"  # its program has ended, or is not there yet
        return word, pid

    def _has_begun(self, service: str, pid: int) -> bool:
        """Whether a program that was just found takes orders.

        Until then a service is not back: its process is there for a second or so in which it has not counted its
        launch, nobody can speak to it, and whoever looks would find neither the old instance nor the new one.
        """
        described = self.described(service)
        port = urlsplit(described["agent_url"]).port if described["agent_url"] else described["port"]
        return listens(pid, port)

    def _launches(self, service: str) -> int:
        """How often the program of a container was started, by its own count."""
        try:
            return int((self.directory / "run" / f"{service}.launches").read_text())
        except (OSError, ValueError):
            return 1

    def stats(self, service: str) -> Stats | None:
        """Resource use of all that runs in a service's container, by its control group; None while no program is there.

        Where the group can't be read they are of the program and its children.
        """
        from pytest_anomod.host.figures import measure, measure_group

        instance = instance_of(self, service)
        if instance.pid is not None:
            group = self._group(service, instance.pid)
            if group is not None and self.ref["local"]:
                return measure_group(group, instance.pid, instance.start_time)
            return measure(instance.pid, instance.start_time)
        if self.ref["local"] or instance.state != "running":
            return None
        return container_figures(self.client, self.container(service), service)

    def _group(self, service: str, pid: int) -> cgroups.ControlGroup | None:
        """The control group of a process, to read from; looked for once for each process."""
        if self._groups.get(service, (0, None))[0] != pid:
            self._groups[service] = pid, cgroups.find(pid)
        return self._groups[service][1]

    def _log(self, service: str) -> Source:
        """A service's own program writes its log to the standard output and nothing else; stores write to either."""
        log_format = self.described(service)["log_format"]
        engine, container = str(self.ref["engine"]), self.container(service)
        return EngineOutput(
            service=service, engine=engine, container=container, format=log_format, stderr=log_format != "json"
        )

    def logs(self, service: str, lines: int = 15) -> str:
        """The last lines of a container's output."""
        with contextlib.suppress(DeploymentError), translated("no logs"):
            said: Any = self.client.api.logs(self.container(service), tail=lines)
            return "\n".join(said.decode("utf-8", "replace").splitlines())
        return ""


def _inner_process(init: int) -> int | None:
    """The program that a container's init runs, by its pid here; None when it is not there, or not to be seen."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{init}/task/{init}/children").read_text().split()
        if init and children:
            return int(children[0])
    return None
