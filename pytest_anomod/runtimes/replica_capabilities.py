"""What can be done to a service of a replica on any runtime: through its agent, its files and helper programs."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import files, ports
from pytest_anomod.host.calls import call_json
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Agent, Detour, Listener, Programs, Resolver, StoreLogin, Volume
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of

if TYPE_CHECKING:
    from pytest_anomod.runtimes.replica import ReplicaDeployment

ORDER_TIMEOUT_S = 20.0
"""How long an agent or a host gets to answer, and a service to stop or start."""
TAKEN_WITHIN_S = 5.0
_AGENT_GETS = frozenset({"/healthz", "/code/patched"})


class OfReplica:
    """Something that can be done to one service of a deployment."""

    def __init__(self, deployment: ReplicaDeployment, service: str) -> None:
        self.deployment = deployment
        self.service = service


class ReplicaPrograms(OfReplica):
    """Helper programs on this machine, on behalf of a service; what they print is in undo/<service>.<name>.out."""

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program in a session of its own; its pid.

        It gets SIGALRM half a second after its deadline, and is ended by the guardian if that does not help, or if we
        die.
        """
        return self.deployment.programs.start(self.service, argv, name, deadline_s)

    def running(self) -> Mapping[str, int]:
        return self.deployment.programs.running(self.service)

    def end(self, name: str) -> None:
        """End a program (SIGTERM, a second, SIGKILL) and its children, wait until they are gone; idempotent."""
        self.deployment.programs.end(self.service, name)


class ReplicaAgent(OfReplica):
    """The agent inside a service, on a port of its own."""

    def ask(self, path: str, payload: Json = None) -> Json:
        url = self.deployment.described(self.service)["agent_url"]
        verb = "GET" if path in _AGENT_GETS else "POST"
        body = {} if payload is None and verb == "POST" else payload
        who, token = f"the agent of {self.service!r}", self.deployment.token()
        return call_json(url + path, who=who, payload=body, verb=verb, token=token, timeout_s=ORDER_TIMEOUT_S)


class ReplicaListener(OfReplica):
    """A service moves its listener aside when its agent is told to, and a relay takes its port.

    It can only come back to a port that the relay has let go of.
    """

    host = ports.HOST
    """The address that services listen on, as programs inside their boundary see it."""

    def detour(self) -> Detour:
        aside, ready = self.deployment.free_port(), self.deployment.free_port()
        port = self.deployment.described(self.service)["port"]
        return Detour(host=self.host, listen=port, upstream_host=ports.HOST, upstream=aside, ready=ready)

    def divert(self, detour: Detour) -> None:
        """Have the service let go of its port, for which the relay waits, and wait until the relay has it."""
        self._move(detour.upstream)
        clock.wait_until(
            lambda: self.is_listening(detour.listen),
            timeout_s=TAKEN_WITHIN_S,
            what=f"the relay on port {detour.listen} of {self.service!r}",
            every_s=0.005,
        )

    def restore(self) -> None:
        self._move(None)

    def is_listening(self, port: int) -> bool:
        try:
            with socket.create_connection((ports.HOST, port), timeout=0.5):
                return True
        except OSError:
            return False

    def _move(self, port: int | None) -> None:
        ReplicaAgent(self.deployment, self.service).ask("/listener/move", {"port": port})


class ReplicaResolver(OfReplica):
    """The table of names of one service; what it does not know is in the deployment's names/<service>.json."""

    def hide(self, names: Collection[str]) -> None:
        """The service drops what connections it keeps to them. It can be told while it has no process, too."""
        for name in names:
            self.deployment.described(name)
        path = self.deployment.directory / "names" / f"{self.service}.json"
        if names:
            files.write_json(path, sorted(names))
        else:
            path.unlink(missing_ok=True)
        agent = ReplicaAgent(self.deployment, self.service)
        while (before := instance_of(self.deployment, self.service)).state == "running":
            try:
                agent.ask("/names/refresh")
                return
            except DeploymentError:
                clock.sleep(0.2)  # it may have died just now, and the next process reads the file itself
                if instance_of(self.deployment, self.service) == before:
                    raise

    def resolved(self, names: Collection[str]) -> frozenset[str]:
        return frozenset(name for name, found in self._look(names).items() if found["port"] is not None)

    def connections(self, names: Collection[str]) -> int:
        return sum(found["kept"] for found in self._look(names).values())

    def _look(self, names: Collection[str]) -> dict[str, Any]:
        agent = ReplicaAgent(self.deployment, self.service)
        looked: dict[str, Any] = agent.ask("/names/look", {"names": list(names)})
        return looked


class ReplicaLogin(OfReplica):
    """The administrator's login of a store, as the host that made the store wrote it down."""

    def dsn(self) -> str:
        path = self.deployment.directory / "secret" / f"{self.service}.json"
        login = files.read_json(path)
        if not login:
            msg = f"the login of store {self.service!r} of {self.deployment.system!r} is gone: no {path}"
            raise DeploymentError(msg)
        where = f"{login['host']}:{login['port']}"
        if login["engine"] == "redis":
            return f"redis://{where}/0"
        return f"postgresql://{login['superuser']}:{login['superuser_password']}@{where}/{login['database']}"


class ReplicaVolume(OfReplica):
    """The directory where the stores of a deployment have theirs, on the disk that all its services write to."""

    def directory(self) -> Path:
        directory = self.deployment.directory / "stores"
        directory.mkdir(exist_ok=True)
        return directory


OF_SERVICES: Mapping[type, type[OfReplica]] = {
    Agent: ReplicaAgent,
    Listener: ReplicaListener,
    Resolver: ReplicaResolver,
}
"""Of what runs code of the system, with our agent in it."""
OF_STORES: Mapping[type, type[OfReplica]] = {StoreLogin: ReplicaLogin}
OF_ANY: Mapping[type, type[OfReplica]] = {
    Programs: ReplicaPrograms,
    Volume: ReplicaVolume,
    **OF_SERVICES,
    **OF_STORES,
}
