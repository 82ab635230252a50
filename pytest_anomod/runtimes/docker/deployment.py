"""A replica that runs in containers: what can be asked of it and done to it, from any process that has its ref."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.host import cgroups, net_namespace, processes
from pytest_anomod.host.net_namespace import ContainerNetwork
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Ability, Json
from pytest_anomod.model.runtime import ControlGroup, Instance, Stats
from pytest_anomod.runtimes.docker import engine as docker_engine
from pytest_anomod.runtimes.docker.engine import engine_lines, translated
from pytest_anomod.runtimes.replica import ABILITIES, ORDER_TIMEOUT_S, ReplicaDeployment

if TYPE_CHECKING:
    import docker

STOP_GRACE_S = 1
KILL_LIMIT_S = 5.0
_BOUNDED = (
    "import signal, sys; signal.setitimer(signal.ITIMER_REAL, float(sys.argv.pop(1))); "
    "exec(compile(sys.argv.pop(1), 'program', 'exec'), {'__name__': '__main__'})"
)
"""Runs a program that is handed over as text; the kernel ends it at its deadline."""
ALARM_AFTER_S = 0.5


def abilities(*, local: bool) -> frozenset[Ability]:
    """What can be done to containers: limits need the control groups of this machine, rules over packets its root."""
    if not local:
        return ABILITIES
    return ABILITIES | ({Ability.CONTROL_GROUP} if cgroups.may_write() else frozenset()) | net_namespace.abilities()


class DockerDeployment(ReplicaDeployment):
    """The Deployment of the Docker runtime: its containers, told apart by their labels.

    On an engine of this machine (Linux) pids are those that this machine knows. Where containers run in a machine of
    their own (Docker Desktop) there are none, and figures come from the engine.
    """

    runtime = "docker"
    listen_host = "0.0.0.0"

    def __init__(self, ref: Mapping[str, Json]) -> None:
        super().__init__(ref)
        self._seen: dict[str, Instance] = {}
        self._groups: dict[str, tuple[int, cgroups.ControlGroup | None]] = {}
        self.abilities = abilities(local=bool(ref.get("local")))

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
        word, pid = self._state(service)
        if pid is not None and not self._has_begun(service, pid):
            word, pid = "restarting", None
        return self._as_instance(
            service,
            state=word,
            pid=pid,
            start_time=processes.start_time(pid) if pid else None,
            restarts=max(0, self._launches(service) - 1),
        )

    def _state(self, service: str) -> tuple[str, int | None]:
        """What the engine says of a service, in our words, and the pid of its program where there is one here."""
        import docker.errors

        try:
            state = self.client.api.inspect_container(self.container(service))["State"]
        except docker.errors.NotFound:
            state = {"Status": "removed", "Pid": 0}
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
        described = self._described(service)
        port = urlsplit(described["agent_url"]).port if described["agent_url"] else described["port"]
        return _listens(pid, port)

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

        instance = self.instance(service)
        if instance.pid is not None:
            group = self._group(service, instance.pid)
            if group is not None and self.ref["local"]:
                return measure_group(group, instance.pid, instance.start_time)
            return measure(instance.pid, instance.start_time)
        return None if self.ref["local"] or instance.state != "running" else self._engine_stats(service)

    def control_group(self, service: str) -> ControlGroup | None:
        """That of the service's container, if it runs and we may change its limits."""
        pid = self.instance(service).pid
        if pid is None or Ability.CONTROL_GROUP not in self.abilities or not _is_inside(pid, self.directory / "run"):
            return None
        group = cgroups.find(pid)
        return group if group is not None and group.writable else None

    def _group(self, service: str, pid: int) -> cgroups.ControlGroup | None:
        """The same to read from, looked for once for each process."""
        if self._groups.get(service, (0, None))[0] != pid:
            self._groups[service] = pid, cgroups.find(pid)
        return self._groups[service][1]

    def _engine_stats(self, service: str) -> Stats | None:
        with translated(f"the figures of {service!r} can't be had"):
            found = self.client.api.stats(self.container(service), stream=False, one_shot=True)
        moved = {"read": 0, "write": 0}
        for row in (found.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ():
            moved[row["op"].lower()] = moved.get(row["op"].lower(), 0) + row["value"]
        return Stats(
            time_unix_nano=clock.now_ns(),
            cpu_s=found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
            memory_bytes=found["memory_stats"].get("usage", 0),
            read_bytes=moved["read"],
            written_bytes=moved["write"],
            threads=found["pids_stats"].get("current", 0),
            stopped=False,
        )

    # what can be done to it

    def kill(self, service: str) -> None:
        """SIGKILL the very process that runs now, and wait until it is dead; the restart policy brings it back."""
        instance = self._fresh(service)
        if instance.state != "running":
            msg = f"service {service!r} of {self.system!r} has no process to kill: it is {instance.state}"
            raise DeploymentError(msg)
        if instance.pid is None or instance.start_time is None or not _may_signal(instance.pid):
            # the engine's own kill would disarm the restart policy
            self._run_inside(service, ["python3", "-c", "import os; os.kill(-1, 9)"])
            return
        pid, started = instance.pid, instance.start_time
        processes.send(pid, started, signal.SIGKILL)
        clock.wait_until(
            lambda: not processes.is_same(pid, started), timeout_s=KILL_LIMIT_S, what=f"the end of {service!r}"
        )
        self._forget_instances()

    def stop(self, service: str) -> None:
        """Stop the container for good; its name does not resolve any more; idempotent."""
        self._described(service)
        self._forget_instances()
        with translated(f"service {service!r} was not stopped"):
            self.client.api.stop(self.container(service), timeout=STOP_GRACE_S)

    def start(self, service: str) -> None:
        """Start a stopped container and wait until it answers; idempotent. One that pauses between restarts goes on."""
        self._described(service)
        with translated(f"service {service!r} was not started"):
            state, _ = self._state(service)
            if state == "restarting":
                self.client.api.stop(self.container(service), timeout=0)  # ends the engine's pause, which may be long
            if state != "running":
                self.client.api.start(self.container(service))
        clock.wait_until(
            lambda: self._fresh(service).state == "running" and self.answers(service),
            timeout_s=ORDER_TIMEOUT_S,
            what=f"{service!r} to answer after its start",
            every_s=0.02,
        )

    def exec(self, service: str, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a helper program inside the container of a service; return its pid on this machine.

        Our stand-alone programs ([python, "-I", "-S", file, ...]) are handed over as text and run by the container's
        own Python. Any other program runs on this machine, on behalf of the service.
        """
        self._described(service)
        if list(argv[:3]) != [sys.executable, "-I", "-S"] or not self.ref["local"]:
            return self._programs.start(service, argv, name, deadline_s)
        self._programs.check_new(service, name, deadline_s)
        source = Path(argv[3]).read_text()
        words = ["python3", "-I", "-S", "-c", _BOUNDED, str(deadline_s + ALARM_AFTER_S), source, *argv[4:]]
        with translated(f"program {name!r} was not started in {service!r}"):
            created = self.client.api.exec_create(self.container(service), words, stdout=False, stderr=False)
            self.client.api.exec_start(created["Id"], detach=True)
            pid = self._pid_of_exec(created["Id"])
        self._programs.take_over(service, pid, name, deadline_s)
        return pid

    def _pid_of_exec(self, exec_id: str) -> int:
        pids: list[int] = []

        def known() -> bool:
            pids[:] = [int(self.client.api.exec_inspect(exec_id).get("Pid") or 0)]
            return pids[0] > 0

        clock.wait_until(known, timeout_s=5.0, what="the engine to tell a pid", every_s=0.01)
        return pids[0]

    def pid_inside(self, service: str) -> int | None:
        """Pid of the service's process as programs inside its container know it."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.instance(service).pid}/status").read_text().splitlines():
                if line.startswith("NSpid:"):
                    return int(line.split()[-1])
        return None

    def listens(self, service: str, port: int) -> bool:
        """Whether something inside the boundary of a service listens on a port."""
        pid = self.instance(service).pid
        return pid is not None and _listens(pid, port)

    def net_namespace(self, service: str) -> ContainerNetwork | None:
        """The network namespace of a service as it runs now; None while it does not, or where rules can't be set."""
        instance = self.instance(service)
        if Ability.NET_NAMESPACE not in self.abilities or instance.pid is None or instance.start_time is None:
            return None
        agent = urlsplit(instance.agent_url).port if instance.agent_url else None
        return ContainerNetwork(instance.pid, instance.start_time, who=f"service {service!r}", agent_port=agent)

    def inner_address(self, service: str) -> tuple[str, int] | None:
        """Where other services reach a service on the private network; None while it does not run."""
        port = int(self._described(service)["port"])
        with translated(f"the address of {service!r} can't be had"):
            found = self.client.api.inspect_container(self.container(service))["NetworkSettings"]["Networks"]
        address = found[self.network()]["IPAddress"] if self.network() in found else ""
        return (address, port) if address else None

    def _run_inside(self, service: str, argv: Sequence[str]) -> None:
        with translated(f"nothing was run in {service!r}"):
            created = self.client.api.exec_create(self.container(service), list(argv))
            self.client.api.exec_start(created["Id"])

    def _fresh(self, service: str) -> Instance:
        self._forget_instances()
        return self.instance(service)

    def logs(self, service: str, lines: int = 15) -> str:
        """The last lines of what a container said."""
        with contextlib.suppress(DeploymentError), translated("no logs"):
            said: Any = self.client.api.logs(self.container(service), tail=lines)
            return "\n".join(said.decode("utf-8", "replace").splitlines())
        return ""

    def output(self, service: str, since_ns: int) -> list[tuple[int, bytes]]:
        """Lines that the engine took since a time from a service, in order, each with the time when it took it.

        A service's own program writes its log to the standard output and nothing else; stores write to either.
        """
        log_format = self._described(service)["log_format"]
        with translated(f"the output of {service!r} can't be had"):
            said: Any = self.client.api.logs(
                self.container(service),
                stderr=log_format != "json",
                timestamps=True,
                since=max(1.0, since_ns / 1e9),  # less would be written as a power of ten
            )
        return engine_lines(said)


def _inner_process(init: int) -> int | None:
    """The program that a container's init runs, by its pid here; None when it is not there, or not to be seen."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{init}/task/{init}/children").read_text().split()
        if init and children:
            return int(children[0])
    return None


def _listens(pid: int, port: int | None) -> bool:
    """Whether someone listens on a port in the network of a process."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)
    return False


def _is_inside(pid: int, mounted: Path) -> bool:
    """Whether a process lives in a container that has this directory of ours: no stranger is to be limited."""
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
