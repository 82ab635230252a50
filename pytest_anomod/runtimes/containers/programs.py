"""Helper programs inside the boundary of a container, of our Python on this machine: its image need have nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_anomod.host import cgroups, net_namespace
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance
from pytest_anomod.runtimes.containers.helpers import enter

if TYPE_CHECKING:
    from pytest_anomod.runtimes.containers.deployment import ContainersDeployment

ROOM_BYTES = 48 << 20
"""What a program may take; with less room below its memory limit a container would be killed for our sake."""
_STANDALONE = ["-I", "-S"]


class ContainerPrograms:
    """Our stand-alone programs ([python, "-I", "-S", file, ...]) run in the service's network and control group.

    They see the files and the processes of this machine. Other programs, which drive the deployment from outside, run
    in neither. What a program uses is counted to the service, its memory only where the service has room for it.
    """

    def __init__(self, deployment: ContainersDeployment, service: str) -> None:
        self.deployment = deployment
        self.service = service

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program in a session of its own; its pid. It gets SIGALRM half a second after its deadline."""
        instance = self.deployment.first(self.service)
        inside = list(argv[1:3]) == _STANDALONE and instance.pid is not None
        words = [*self._inside(instance), *argv] if inside else argv
        return self.deployment.programs.start(self.service, words, name, deadline_s)

    def running(self) -> Mapping[str, int]:
        return self.deployment.programs.running(self.service)

    def end(self, name: str) -> None:
        """End a program (SIGTERM, a second, SIGKILL) and its children, wait until they are gone; idempotent."""
        self.deployment.programs.end(self.service, name)

    def _inside(self, instance: Instance) -> list[str]:
        """The words before a program's own that put it where the service is."""
        words = [sys.executable, *_STANDALONE, enter.__file__]
        group = own_group(self.deployment, self.service)
        if group is not None:
            words += [text for path in _joined(group) for text in ("--group", path)]
        words += ["--"]
        if not net_namespace.why_not() and not self.deployment.seen(self.service).host_network:
            words += ["nsenter", f"--net=/proc/{instance.pid}/ns/net", "--"]
        return words


def own_group(deployment: ContainersDeployment, service: str) -> cgroups.ControlGroup | None:
    """The control group of a service's container, if it runs, is one of the deployment's, and is ours to write to.

    Its path must end with the container's id: then nobody else is in it.
    """
    instance, seen = deployment.first(service), deployment.seen(service)
    if instance.pid is None or not deployment.is_ours(seen):
        return None
    group = cgroups.find(instance.pid)
    if group is None or not group.writable:
        return None
    named = all(seen.id in path.name for path in group.directories.values())
    return group if named else None


def _joined(group: cgroups.ControlGroup) -> Iterator[str]:
    """Files of the groups that a program joins: v2 has one for all; the count of processes is not for our programs."""
    try:
        memory = group.memory()
        room = memory.limit_bytes is None or memory.limit_bytes - memory.working_bytes > ROOM_BYTES
    except DeploymentError:  # no such counters: then there is no limit either
        room = True
    left_out = {"pids"} | (set() if room else {"memory"})
    if group.version == 2:
        if room:
            yield str(group.directories["cpu"] / "cgroup.procs")
        return
    for path in {path for name, path in group.directories.items() if name not in left_out}:
        yield str(path / "cgroup.procs")
