"""What can be done to a service of a replica that runs as a process of this machine."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.host import processes
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, LocalProcess, WrittenFiles
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.runtimes.replica_capabilities import OF_ANY, OfReplica

if TYPE_CHECKING:
    from pytest_anomod.runtimes.process.deployment import ProcessDeployment

KILL_LIMIT_S = 5.0


class OrderedByHost(OfReplica):
    """The host of the replica stops and starts a service, and starts it again when it was killed."""

    deployment: ProcessDeployment

    def kill(self) -> None:
        self.deployment.forget_instances()
        instance = instance_of(self.deployment, self.service)
        if instance.pid is None or instance.start_time is None:
            system, state = self.deployment.system, instance.state
            msg = f"service {self.service!r} of {system!r} has no process to kill: it is {state}"
            raise DeploymentError(msg)
        pid, started = instance.pid, instance.start_time
        processes.send(pid, started, signal.SIGKILL)
        # until the host knows it too: asked earlier, it would take the dead one for running and not start another
        clock.wait_until(
            lambda: not processes.is_same(pid, started) and self._fresh_pid() != pid,
            timeout_s=KILL_LIMIT_S,
            what=f"the end of {self.service!r}",
        )

    def stop(self) -> None:
        self.deployment.order(self.service, "stop")

    def start(self) -> None:
        self.deployment.order(self.service, "start")

    def _fresh_pid(self) -> int | None:
        self.deployment.forget_instances()
        return instance_of(self.deployment, self.service).pid


class OwnProcess(OfReplica):
    """The one process of a service, which all programs of this machine know by the same pid."""

    def pid(self) -> int | None:
        return instance_of(self.deployment, self.service).pid

    def inner_pid(self) -> int | None:
        return self.pid()


class OwnFiles(OfReplica):
    """The log and the spans of a service, the journal of a PostgreSQL; nothing waits for a store's other files."""

    def paths(self) -> Sequence[Path]:
        directory, described = self.deployment.directory, self.deployment.described(self.service)
        if described["agent_url"] is None:
            journal = directory / "stores" / self.service / "cluster" / "pg_wal"
            return (journal,) if journal.exists() else ()
        return tuple(directory / described[key] for key in ("log_file", "span_file") if described[key])


OF_PROCESSES = {**OF_ANY, Lifecycle: OrderedByHost, LocalProcess: OwnProcess, WrittenFiles: OwnFiles}
