"""Where everything of a deployment is: ports in one block, files below one directory."""

import socket
from dataclasses import dataclass
from pathlib import Path

from pytest_anomod.replicas.kit.net import HOST
from pytest_anomod.replicas.kit.system import ReplicaSystem


class PortInUseError(Exception):
    """A port of the block is taken; the message names it and who was to have it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Ports by name: the control port, one a store, and for each service one for calls and one for its agent."""

    control: int
    listen: dict[str, int]
    agents: dict[str, int]

    def check_free(self) -> None:
        """Raise PortInUseError for the first port somebody else listens on."""
        wanted = {"the control interface": self.control}
        wanted |= self.listen
        wanted |= {f"the agent of {name}": port for name, port in self.agents.items()}
        for name, port in wanted.items():
            with socket.socket() as probe:
                # as the servers will do it: connections of the past in TIME_WAIT are no obstacle
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                    probe.listen(1)
                except OSError as error:
                    raise PortInUseError(f"port {port} for {name} cannot be used: {error.strerror}") from None


def lay_out(system: ReplicaSystem, base_port: int, entry_port: int | None) -> Layout:
    """Give out ports from `base_port` on, in the order of declaration; the entry gets `entry_port` if there is one."""
    ports = iter(range(base_port, base_port + 100 + 2 * len(system.services) + len(system.stores)))
    control = next(ports)
    listen = {spec.name: next(ports) for spec in system.stores}
    agents: dict[str, int] = {}
    for service in system.services:
        listen[service.name] = next(ports)
        agents[service.name] = next(ports)
    if entry_port is not None:
        listen[system.entry] = entry_port
    return Layout(control, listen, agents)


def make_directories(directory: Path) -> None:
    """The directories of a deployment; what only its owner may read is in `secret`."""
    for name in ("logs", "spans", "run", "stores", "names"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "secret").mkdir(mode=0o700, exist_ok=True)
