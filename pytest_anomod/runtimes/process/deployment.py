"""The deployment of a replica as plain processes, usable from any process that has its ref."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.host import ports
from pytest_anomod.host.calls import call_json
from pytest_anomod.model.runtime import Instance, Stats, instance_of
from pytest_anomod.runtimes.process.capabilities import OF_PROCESSES
from pytest_anomod.runtimes.replica import ReplicaDeployment
from pytest_anomod.runtimes.replica_capabilities import ORDER_TIMEOUT_S

CONTROL_TIMEOUT_S = 2.0


class ProcessDeployment(ReplicaDeployment):
    """The Deployment of the process runtime: its host says what runs, and starts and stops it."""

    runtime = "process"
    capabilities = OF_PROCESSES

    def stats(self, service: str) -> Stats | None:
        """Resource use of a service's process and its children now; None while no process is there."""
        from pytest_anomod.host.figures import measure

        instance = instance_of(self, service)
        return None if instance.pid is None else measure(instance.pid, instance.start_time)

    def order(self, service: str, verb: str) -> None:
        """Have the host stop or start a service; it answers when that is done."""
        self.described(service)
        self.forget_instances()
        self._control("POST", f"/services/{service}/{verb}", ORDER_TIMEOUT_S)

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
            inner_address=(ports.HOST, self.described(name)["port"]),
        )

    def _control(self, verb: str, path: str, timeout_s: float) -> Any:
        url = self.document["control_url"] + path
        who = f"the host of {self.system!r}"
        return call_json(url, who=who, verb=verb, token=self.token(), timeout_s=timeout_s)
