"""Kill, stop and start a container; if its restart policy does not restart it after a kill, we do."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

from pytest_anomod.host import processes
from pytest_anomod.host.engine import translated
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance
from pytest_anomod.runtimes.containers.seen import Seen

if TYPE_CHECKING:
    from pytest_anomod.runtimes.containers.deployment import ContainersDeployment

STOP_GRACE_S = 1
KILL_LIMIT_S = 5.0
AGAIN_AFTER_S = 1.0
"""How long after a kill we start a container that would stay dead: about as long as an engine takes."""
START_LIMIT_S = 60.0


class ContainerLifecycle:
    """By the pid of the container's first process, so that the engine takes its end for one of the program's own."""

    def __init__(self, deployment: ContainersDeployment, service: str) -> None:
        self.deployment = deployment
        self.service = service

    def kill(self) -> None:
        """SIGKILL the program that runs now and wait until it is dead.

        A container without a restart policy is started again by this process a second later: an outage and no end of
        the service, as with a policy.
        """
        instance = self._fresh()
        seen = self.deployment.seen(self.service)
        if instance.state != "running":
            system, state = self.deployment.system, instance.state
            msg = f"service {self.service!r} of {system!r} has no process to kill: it is {state}"
            raise DeploymentError(msg)
        if instance.pid is None or instance.start_time is None or not _may_signal(instance.pid):
            with translated(f"service {self.service!r} was not killed"):
                self.deployment.client.api.kill(seen.id, signal="SIGKILL")  # this disarms a restart policy
            again = True
        else:
            pid, started = instance.pid, instance.start_time
            processes.send(pid, started, signal.SIGKILL)
            clock.wait_until(
                lambda: not processes.is_same(pid, started), timeout_s=KILL_LIMIT_S, what=f"the end of {self.service!r}"
            )
            again = not seen.restarts_itself
        if again:
            timer = threading.Timer(AGAIN_AFTER_S, self._start_again, (seen,))
            timer.daemon = True
            timer.start()
        self.deployment.forget()

    def stop(self) -> None:
        """Stop the container for good, also one that pauses between restarts; its name resolves no more."""
        self.deployment.forget()
        container = self.deployment.seen(self.service).id
        with translated(f"service {self.service!r} was not stopped"):
            self.deployment.client.api.stop(container, timeout=STOP_GRACE_S)

    def start(self) -> None:
        """Start the container and wait until it answers; one that pauses between restarts goes on at once."""
        seen = self.deployment.seen(self.service)
        api = self.deployment.client.api
        with translated(f"service {self.service!r} was not started"):
            if seen.status == "restarting":
                api.stop(seen.id, timeout=0)  # ends the engine's pause, which may be long
            if seen.status != "running":
                api.start(seen.id)
        clock.wait_until(
            lambda: self._fresh().state == "running" and self.deployment.answers(self.service),
            timeout_s=START_LIMIT_S,
            what=f"{self.service!r} to answer after its start",
            every_s=0.05,
        )

    def _start_again(self, killed: Seen) -> None:
        """Unless someone else did, or the container is gone or was stopped in order meanwhile."""
        with contextlib.suppress(DeploymentError):
            now = self.deployment.seen(self.service)
            if now.id == killed.id and now.started_at == killed.started_at and now.status == "exited":
                with translated(f"service {self.service!r} was not started again"):
                    self.deployment.client.api.start(now.id)
                self.deployment.forget()

    def _fresh(self) -> Instance:
        self.deployment.forget()
        return self.deployment.first(self.service)


class ContainerProcess:
    """The program of a container on an engine of this machine; helper programs run beside it, and know its pid here."""

    def __init__(self, deployment: ContainersDeployment, service: str) -> None:
        self.deployment = deployment
        self.service = service

    def pid(self) -> int | None:
        return self.deployment.first(self.service).pid

    def inner_pid(self) -> int | None:
        return self.pid()


def _may_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True
