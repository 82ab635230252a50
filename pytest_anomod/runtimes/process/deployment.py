"""A replica that runs as plain processes: what can be asked of it and done to it, from any process that has its ref."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_anomod.host import processes
from pytest_anomod.host.calls import call_json
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Instance, Stats
from pytest_anomod.runtimes.replica import ORDER_TIMEOUT_S, ReplicaDeployment

CONTROL_TIMEOUT_S = 2.0
KILL_LIMIT_S = 5.0


class ProcessDeployment(ReplicaDeployment):
    """The Deployment of the process runtime: its host says what runs, and starts and stops it."""

    runtime = "process"

    def stats(self, service: str) -> Stats | None:
        """Resource use of a service's process and its children now; None while no process is there."""
        from pytest_anomod.host.figures import measure

        instance = self.instance(service)
        return None if instance.pid is None else measure(instance.pid, instance.start_time)

    def kill(self, service: str) -> None:
        """SIGKILL the very process that runs now, and wait until it is dead; the restart policy brings it back."""
        self._forget_instances()
        instance = self.instance(service)
        if instance.pid is None or instance.start_time is None:
            msg = f"service {service!r} of {self.system!r} has no process to kill: it is {instance.state}"
            raise DeploymentError(msg)
        pid, started = instance.pid, instance.start_time
        processes.send(pid, started, signal.SIGKILL)
        # until the host knows it too: asked earlier, it would take the dead one for running and not start another
        clock.wait_until(
            lambda: not processes.is_same(pid, started) and self._pid_of(service) != pid,
            timeout_s=KILL_LIMIT_S,
            what=f"the end of {service!r}",
        )

    def stop(self, service: str) -> None:
        """Stop the service for good and remove its name from resolution; idempotent."""
        self._order(service, "stop")

    def start(self, service: str) -> None:
        """Start a stopped service and wait until it answers; idempotent."""
        self._order(service, "start")

    def exec(self, service: str, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a helper program on behalf of a service; return its pid. It ends at the deadline at the latest.

        It leads a session of its own, gets SIGALRM half a second after its deadline, and is ended by the guardian if
        that does not help, or if we die. What it prints is in the deployment's undo/<service>.<name>.out.
        """
        self._described(service)
        return self._programs.start(service, argv, name, deadline_s)

    def shut_down(self, timeout_s: float) -> None:
        """Ask the host to end everything in good order; it answers before it is done."""
        self._control("POST", "/shutdown", timeout_s)

    def _look(self) -> tuple[Instance, ...]:
        states = self._control("GET", "/services", CONTROL_TIMEOUT_S)
        return tuple(self._from_state(name, states.get(name) or {}) for name in self.document["services"])

    def _from_state(self, name: str, state: Mapping[str, Any]) -> Instance:
        return self._as_instance(
            name,
            state=state.get("state", "stopped"),
            pid=state.get("pid"),
            start_time=state.get("start_time"),
            restarts=state.get("restarts", 0),
        )

    def _pid_of(self, service: str) -> int | None:
        self._forget_instances()
        return self.instance(service).pid

    def _order(self, service: str, verb: str) -> None:
        self._described(service)
        self._forget_instances()
        self._control("POST", f"/services/{service}/{verb}", ORDER_TIMEOUT_S)

    def _control(self, verb: str, path: str, timeout_s: float) -> Any:
        url = self.document["control_url"] + path
        who = f"the host of {self.system!r}"
        return call_json(url, who=who, verb=verb, token=self._token(), timeout_s=timeout_s)
