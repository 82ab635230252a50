"""The deployment of plain commands, usable from any process that has its ref."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
from pathlib import Path
from typing import Any

from pytest_anomod.agents.language import Asked
from pytest_anomod.host import ports, processes
from pytest_anomod.host.calls import call_json
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent, Detour, Lifecycle, Listener, StoreLogin, Volume
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, instance_of
from pytest_anomod.model.source import LogFile, OtlpInbox, ResourceFigures, Source
from pytest_anomod.runtimes import agents
from pytest_anomod.runtimes.plain import OfService, PlainDeployment, ServiceLogin

CONTROL_TIMEOUT_S = 2.0
ORDER_TIMEOUT_S = 90.0
"""How long a service gets to stop or to start: longer than the host gives it to be well."""
KILL_LIMIT_S = 5.0
RELAY_WITHIN_S = 5.0


class OrderedByHost(OfService):
    """The host stops and starts a service, and starts it again when it ends."""

    deployment: CommandsDeployment

    def kill(self) -> None:
        """SIGKILL the service with all that it has started, and wait until the host knows."""
        leader = self._leader()
        if leader is None:
            state = instance_of(self.deployment, self.service).state
            msg = f"service {self.service!r} of {self.deployment.system!r} has no process to kill: it is {state}"
            raise DeploymentError(msg)
        for pid, started in processes.session_of(leader).items():
            processes.send(pid, started, signal.SIGKILL)
        clock.wait_until(lambda: self._leader() != leader, timeout_s=KILL_LIMIT_S, what=f"the end of {self.service!r}")

    def stop(self) -> None:
        self.deployment.order(self.service, "stop")

    def start(self) -> None:
        self.deployment.order(self.service, "start")

    def _leader(self) -> int | None:
        self.deployment.forget_instances()
        leader: int | None = self.deployment.states()[self.service]["leader"]
        return leader


class Fronted(OfService):
    """A service behind its front: what is sent to it can be handed to a relay of a fault first."""

    deployment: CommandsDeployment

    def detour(self) -> Detour:
        listen, ready = self.deployment.free_ports(2)
        upstream = int(self.deployment.described(self.service)["inner_port"])
        return Detour(host=ports.HOST, listen=listen, upstream_host=ports.HOST, upstream=upstream, ready=ready)

    def divert(self, detour: Detour) -> None:
        clock.wait_until(
            lambda: self.is_listening(detour.listen),
            timeout_s=RELAY_WITHIN_S,
            what=f"the relay on port {detour.listen} of {self.service!r}",
            every_s=0.005,
        )
        self.deployment.order(self.service, "divert", {"port": detour.listen})

    def restore(self) -> None:
        self.deployment.order(self.service, "divert", {"port": None})

    def is_listening(self, port: int) -> bool:
        try:
            with socket.create_connection((ports.HOST, port), timeout=0.5):
                return True
        except OSError:
            return False


class OwnDirectory(OfService):
    """A directory of ours, on the disk that the logs of all services are written to."""

    def directory(self) -> Path:
        directory = Path(self.deployment.directory) / "volume"
        directory.mkdir(exist_ok=True)
        return directory


def _fronted(deployment: CommandsDeployment, service: str) -> Fronted | None:
    return Fronted(deployment, service) if deployment.described(service)["relayed"] else None


def _login(deployment: CommandsDeployment, service: str) -> ServiceLogin | None:
    return ServiceLogin(deployment, service) if deployment.described(service)["login"] else None


def _agent(deployment: CommandsDeployment, service: str) -> Asked | None:
    return agents.agent_of(deployment, deployment.document["agents"], service)


class CommandsDeployment(PlainDeployment):
    """The Deployment of the runtime `commands`: its host says what runs, and starts and stops it."""

    runtime = "commands"
    capabilities = {  # noqa: RUF012 - as in the base
        **PlainDeployment.capabilities,
        Lifecycle: OrderedByHost,
        Listener: _fronted,
        StoreLogin: _login,
        Agent: _agent,
        Volume: OwnDirectory,
    }

    def sources(self) -> tuple[Source, ...]:
        """What each service printed, its resource figures, and what it exports over OTLP if that was asked for."""
        found: list[Source] = []
        for name, described in self.document["services"].items():
            found += [LogFile(service=name, path=Path(described["log_file"])), ResourceFigures(service=name)]
        if self.document["otlp"]:
            ours = tuple(agents.traced(self.document["agents"]))
            found.append(OtlpInbox(directory=self.directory / "otlp", ours=ours))
        return (*found, *agents.sources(self, self.document["agents"]))

    def states(self) -> dict[str, dict[str, Any]]:
        """What the host sees of each service now."""
        states: dict[str, dict[str, Any]] = self._control("GET", "/services", None, CONTROL_TIMEOUT_S)
        return states

    def order(self, service: str, verb: str, body: Json = None) -> None:
        """Have the host stop, start or divert a service; it answers when that is done."""
        self.described(service)
        self.forget_instances()
        self._control("POST", f"/services/{service}/{verb}", body, ORDER_TIMEOUT_S)

    def shut_down(self, timeout_s: float) -> None:
        """Ask the host to end everything in good order; it answers before it is done."""
        self._control("POST", "/shutdown", None, timeout_s)

    def free_ports(self, count: int) -> list[int]:
        """Ports of this deployment's own block that nothing listens on."""
        base = self.ref["base_port"]
        services = self.document["services"].values()
        taken = {described[name] for described in services for name in ("port", "inner_port")}
        taken.add(self.document["control_port"])
        block = reversed(range(base, base + ports.BLOCK))
        found = [port for port in block if port not in taken and ports.is_free(port)]
        if len(found) < count:
            msg = f"no {count} free ports in the block of deployment {self.directory} (from {base}, {ports.BLOCK})"
            raise DeploymentError(msg)
        return found[:count]

    def _look(self) -> tuple[Instance, ...]:
        states = self.states()
        return tuple(self._from_state(name, states[name]) for name in self.document["services"])

    def _from_state(self, name: str, state: dict[str, Any]) -> Instance:
        seen = self.as_instance(name, pid=state["pid"], start_time=state["start_time"], state=state["state"])
        restarts = state["restarts"]
        return dataclasses.replace(seen, restarts=restarts, instance_id=f"{name}-{restarts + 1}")

    def _control(self, verb: str, path: str, body: Json, timeout_s: float) -> Any:
        url = f"http://{ports.HOST}:{self.document['control_port']}{path}"
        who = f"the host of {self.system!r}"
        return call_json(url, who=who, payload=body, verb=verb, token=self._token(), timeout_s=timeout_s)

    def _token(self) -> str:
        try:
            return (self.own / "token").read_text().strip()
        except OSError as error:
            where = os.fspath(self.directory)
            msg = f"the token of deployment {where} can't be read: {error.strerror}; is it down already?"
            raise DeploymentError(msg) from error
