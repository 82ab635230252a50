"""What can be done to a service of a replica that runs in a container of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.host import cgroups, net_namespace, processes
from pytest_anomod.host.net_namespace import ContainerNetwork
from pytest_anomod.model import clock
from pytest_anomod.model.capability import ControlGroup, Lifecycle, Listener, LocalProcess, NetNamespace, Programs
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance, instance_of
from pytest_anomod.runtimes.docker.engine import translated
from pytest_anomod.runtimes.replica_capabilities import (
    OF_ANY,
    ORDER_TIMEOUT_S,
    OfReplica,
    ReplicaListener,
    ReplicaPrograms,
)

if TYPE_CHECKING:
    from pytest_anomod.runtimes.docker.deployment import DockerDeployment

STOP_GRACE_S = 1
KILL_LIMIT_S = 5.0
ALARM_AFTER_S = 0.5
_BOUNDED = (
    "import signal, sys; signal.setitimer(signal.ITIMER_REAL, float(sys.argv.pop(1))); "
    "exec(compile(sys.argv.pop(1), 'program', 'exec'), {'__name__': '__main__'})"
)
"""Runs a program that is handed over as text; the kernel ends it at its deadline."""


class ContainerLifecycle(OfReplica):
    """The engine stops and starts a container, and starts it again when its program was killed."""

    deployment: DockerDeployment

    def kill(self) -> None:
        instance = self._fresh()
        if instance.state != "running":
            system, state = self.deployment.system, instance.state
            msg = f"service {self.service!r} of {system!r} has no process to kill: it is {state}"
            raise DeploymentError(msg)
        if instance.pid is None or instance.start_time is None or not _may_signal(instance.pid):
            # the engine's own kill would disarm the restart policy
            self._run_inside(["python3", "-c", "import os; os.kill(-1, 9)"])
            return
        pid, started = instance.pid, instance.start_time
        processes.send(pid, started, signal.SIGKILL)
        clock.wait_until(
            lambda: not processes.is_same(pid, started), timeout_s=KILL_LIMIT_S, what=f"the end of {self.service!r}"
        )
        self.deployment.forget_instances()

    def stop(self) -> None:
        self.deployment.forget_instances()
        with translated(f"service {self.service!r} was not stopped"):
            self.deployment.client.api.stop(self.deployment.container(self.service), timeout=STOP_GRACE_S)

    def start(self) -> None:
        """One that pauses between restarts goes on."""
        api, container = self.deployment.client.api, self.deployment.container(self.service)
        with translated(f"service {self.service!r} was not started"):
            state = self.deployment.state_of(self.service)
            if state == "restarting":
                api.stop(container, timeout=0)  # ends the engine's pause, which may be long
            if state != "running":
                api.start(container)
        clock.wait_until(
            lambda: self._fresh().state == "running" and self.deployment.answers(self.service),
            timeout_s=ORDER_TIMEOUT_S,
            what=f"{self.service!r} to answer after its start",
            every_s=0.02,
        )

    def _fresh(self) -> Instance:
        self.deployment.forget_instances()
        return instance_of(self.deployment, self.service)

    def _run_inside(self, argv: Sequence[str]) -> None:
        api = self.deployment.client.api
        with translated(f"nothing was run in {self.service!r}"):
            created = api.exec_create(self.deployment.container(self.service), list(argv))
            api.exec_start(created["Id"])


class ContainerProcess(OfReplica):
    """The program of a container of an engine of this machine, which knows it by another pid than the container."""

    def pid(self) -> int | None:
        return instance_of(self.deployment, self.service).pid

    def inner_pid(self) -> int | None:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines():
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
        return None


class ContainerPrograms(ReplicaPrograms):
    """Our stand-alone programs ([python, "-I", "-S", file, ...]) run in the container, by its own Python.

    They are handed over as text. Any other program runs on this machine, on behalf of the service.
    """

    deployment: DockerDeployment

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program; its pid on this machine."""
        if list(argv[:3]) != [sys.executable, "-I", "-S"] or not self.deployment.ref["local"]:
            return super().run(argv, name=name, deadline_s=deadline_s)
        programs, api = self.deployment.programs, self.deployment.client.api
        programs.check_new(self.service, name, deadline_s)
        source = Path(argv[3]).read_text()
        words = ["python3", "-I", "-S", "-c", _BOUNDED, str(deadline_s + ALARM_AFTER_S), source, *argv[4:]]
        with translated(f"program {name!r} was not started in {self.service!r}"):
            container = self.deployment.container(self.service)
            created = api.exec_create(container, words, stdout=False, stderr=False)
            api.exec_start(created["Id"], detach=True)
            pid = _pid_of_exec(api, created["Id"])
        programs.take_over(self.service, pid, name, deadline_s)
        return pid


class ContainerListener(ReplicaListener):
    """The same as of a process; the ports are those of the container's own network."""

    host = "0.0.0.0"

    def is_listening(self, port: int) -> bool:
        pid = instance_of(self.deployment, self.service).pid
        return pid is not None and listens(pid, port)


def control_group(deployment: DockerDeployment, service: str) -> cgroups.ControlGroup | None:
    """That of the service's container, if it runs and we may change its limits."""
    pid = instance_of(deployment, service).pid
    if pid is None or not _is_inside(pid, deployment.directory / "run"):
        return None
    group = cgroups.find(pid)
    return group if group is not None and group.writable else None


def network(deployment: DockerDeployment, service: str) -> ContainerNetwork | None:
    """The network namespace of a service as it runs now; None while it does not."""
    instance = instance_of(deployment, service)
    if instance.pid is None or instance.start_time is None:
        return None
    agent = deployment.described(service)["agent_url"]
    spared = [port] if agent and (port := urlsplit(agent).port) else []
    return ContainerNetwork(instance.pid, instance.start_time, who=f"service {service!r}", spared=spared)


def of_containers(*, local: bool) -> Mapping[type, Callable[[Any, str], Any]]:
    """What can be done to containers: pids and control groups are those of this machine, and its root rules packets."""
    makers: dict[type, Callable[[Any, str], Any]] = {
        **OF_ANY,
        Lifecycle: ContainerLifecycle,
        Programs: ContainerPrograms,
        Listener: ContainerListener,
    }
    if local:
        makers[LocalProcess] = ContainerProcess
        if cgroups.may_write():
            makers[ControlGroup] = control_group
        if not net_namespace.why_not():
            makers[NetNamespace] = network
    return makers


def listens(pid: int, port: int | None) -> bool:
    """Whether someone listens on a port in the network of a process."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)
    return False


def _pid_of_exec(api: Any, exec_id: str) -> int:
    pids: list[int] = []

    def known() -> bool:
        pids[:] = [int(api.exec_inspect(exec_id).get("Pid") or 0)]
        return pids[0] > 0

    clock.wait_until(known, timeout_s=5.0, what="the engine to tell a pid", every_s=0.01)
    return pids[0]


def _is_inside(pid: int, mounted: Path) -> bool:
    """Whether a process runs in a container that has this directory of ours: no other may be limited."""
    with contextlib.suppress(OSError):
        apart = os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
        return apart and os.path.samestat(os.stat(f"/proc/{pid}/root{mounted}"), mounted.stat())
    return False


def _may_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True
