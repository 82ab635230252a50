"""A system that runs already: its processes, known by pid and start time, and followed when they are restarted."""

from __future__ import annotations

import dataclasses
import functools
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pytest_anomod.host import files, listening, processes
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, LocalProcess, Programs, StoreLogin
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance, Stats, instance_of
from pytest_anomod.model.source import ResourceFigures, Source
from pytest_anomod.runtimes.plain import OfService, PlainDeployment, ServiceLogin, ServiceProcess, ServicePrograms
from pytest_anomod.runtimes.running.containers import NEEDS_ALLOWANCE, RunningContainers

C = TypeVar("C")
KILL_LIMIT_S = 5.0
BACK_WITHIN_S = 30.0
SEEN = "seen.json"
"""The processes that each service was so far, oldest first, as [pid, start time]."""


class RestartedByOwner(OfService):
    """A process that may be killed, because its owner said so; somebody else starts it again."""

    deployment: RunningDeployment

    def kill(self) -> None:
        """SIGKILL to the very process, and wait until it is dead."""
        self.deployment.forget_instances()
        instance = instance_of(self.deployment, self.service)
        if instance.pid is None or instance.start_time is None:
            msg = (
                f"service {self.service!r} of {self.deployment.system!r} has no process to kill: it is {instance.state}"
            )
            raise DeploymentError(msg)
        pid, started = instance.pid, instance.start_time
        processes.send(pid, started, signal.SIGKILL)
        what = f"the end of {self.service!r}"
        clock.wait_until(lambda: not processes.is_same(pid, started), timeout_s=KILL_LIMIT_S, what=what)
        self.deployment.forget_instances()

    def stop(self) -> None:
        """Refused: what we did not start we can't start again."""
        msg = (
            f"service {self.service!r} of {self.deployment.system!r} is not stopped: we did not start it, and don't "
            "know how to start it again"
        )
        raise DeploymentError(msg)

    def start(self) -> None:
        """Wait until whoever looks after it has started it again; DeploymentError when nobody does."""

        def is_back() -> bool:
            self.deployment.forget_instances()
            running = instance_of(self.deployment, self.service).state == "running"
            return running and self.deployment.answers(self.service)

        try:
            clock.wait_until(is_back, timeout_s=BACK_WITHIN_S, what="it")
        except TimeoutError as error:
            msg = (
                f"nobody has started {self.service!r} of {self.deployment.system!r} again within {BACK_WITHIN_S:g} s: "
                "start it by hand; kill_service is for services that something restarts"
            )
            raise DeploymentError(msg) from error


def _of_process(maker: type[OfService]) -> Any:
    """A capability that a service has only if its process is one of this machine."""
    return lambda deployment, service: maker(deployment, service) if deployment.described(service)["pid"] else None


def _login(deployment: RunningDeployment, service: str) -> ServiceLogin | None:
    return ServiceLogin(deployment, service) if deployment.described(service)["login"] else None


def _lifecycle(deployment: RunningDeployment, service: str) -> RestartedByOwner | None:
    allowed = {"kill_service"} & set(deployment.document["allow"])
    return RestartedByOwner(deployment, service) if allowed and deployment.described(service)["pid"] else None


class RunningDeployment(PlainDeployment):
    """The Deployment of the runtime `running`."""

    runtime = "running"
    capabilities: Mapping[type, Any] = {
        LocalProcess: _of_process(ServiceProcess),
        Programs: _of_process(ServicePrograms),
        Lifecycle: _lifecycle,
        StoreLogin: _login,
    }

    @functools.cached_property
    def containers(self) -> RunningContainers | None:
        """Those services that are containers; None when none is."""
        rows = {
            name: {**row, "probe": {"kind": row["asked"], "path": row["probe_path"]}}
            for name, row in self.document["services"].items()
            if row["container"]
        }
        return RunningContainers(self.ref, rows) if rows else None

    def sources(self) -> tuple[Source, ...]:
        """Output of containers, resource figures; whatever else there is the system's definition names."""
        services = self.document["services"].items()
        figures = tuple(ResourceFigures(service=name) for name, described in services if described["pid"])
        return (*(self.containers.sources() if self.containers else ()), *figures)

    def capability(self, kind: type[C], service: str) -> C | None:
        """What can be done to a service; None where it can't be, or its owner did not allow it."""
        if not self.described(service)["container"] or (kind is StoreLogin and self.described(service)["login"]):
            return super().capability(kind, service)
        assert self.containers is not None
        if kind is Lifecycle and not NEEDS_ALLOWANCE & set(self.document["allow"]):
            return None
        return self.containers.capability(kind, service)

    def stats(self, service: str) -> Stats | None:
        """Resource use now; None of a service of which no process is known."""
        if self.described(service)["container"] and self.containers:
            return self.containers.stats(service)
        return super().stats(service)

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether the service does what its probe asks."""
        if self.described(service)["container"] and self.containers:
            return self.containers.answers(service, timeout_s)
        return super().answers(service, timeout_s)

    def forget_instances(self) -> None:
        """Read the instances again the next time."""
        super().forget_instances()
        if self.containers:
            self.containers.forget()

    def _look(self) -> tuple[Instance, ...]:
        return tuple(self._of_service(name) for name in self.document["services"])

    def _of_service(self, name: str) -> Instance:
        described = self.described(name)
        if described["container"] and self.containers:
            return self.containers.first(name)
        if not described["pid"]:
            return self.as_instance(name, pid=None, start_time=None, state="running")
        seen = self._follow(name, described)
        pid, started = seen[-1]
        restarts = len(seen) - 1
        alive = processes.is_same(pid, started)
        instance = self.as_instance(
            name,
            pid=pid if alive else None,
            start_time=started if alive else None,
            state="running" if alive else "restarting",
        )
        return dataclasses.replace(instance, restarts=restarts, instance_id=f"{name}-{restarts + 1}")

    def _follow(self, name: str, described: Mapping[str, Any]) -> list[tuple[int, float]]:
        """The processes that a service was so far; the one that took its place, if the last has ended."""
        seen: list[Any] = files.read_json(self.own / SEEN)[name]
        if processes.is_same(*seen[-1]):
            return [tuple(one) for one in seen]
        found = find_process(described["pid_file"], described["port"])
        if found is not None and list(found) not in seen:
            with files.edited(self.own / SEEN) as known:
                if list(found) not in known[name]:
                    known[name].append(list(found))
                seen = known[name]
        return [tuple(one) for one in seen]


def find_process(pid_file: str, port: int) -> tuple[int, float] | None:
    """The process that a pid file names or that listens on a port, with its start time; None when there is none."""
    if not pid_file:
        return listening.who_listens_on(port) if port else None
    try:
        pid = int(Path(pid_file).read_text().strip())
    except (OSError, ValueError):
        return None
    started = processes.start_time(pid)
    return None if started is None else (pid, started)
