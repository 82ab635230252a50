"""Capabilities of a container's network: rules, a relay in front of its port, names that don't resolve."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_anomod.host import files
from pytest_anomod.host.container_rules import ContainerRules
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Detour
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.containers import seen as looking
from pytest_anomod.runtimes.containers.helpers import lookup
from pytest_anomod.runtimes.containers.seen import Seen

if TYPE_CHECKING:
    from pytest_anomod.runtimes.containers.deployment import ContainersDeployment

RELAY, NAMES = "relay", "names"
"""Tags of our rules."""
_FIRST_PORT = 47_100
_LOOK_S = 1.5
_RESET_S = 5.0


def network_of(deployment: ContainersDeployment, service: str) -> ContainerRules | None:
    """The network namespace of a service as it runs now; None while it does not, or where it is this machine's."""
    instance = deployment.first(service)
    if instance.pid is None or instance.start_time is None or deployment.seen(service).host_network:
        return None
    who = f"service {service!r}"
    return ContainerRules(instance.pid, instance.start_time, who=who, spared=deployment.spared_ports)


class ContainerListener:
    """A service keeps its port; a rule in its network redirects connections from outside to the relay."""

    def __init__(self, deployment: ContainersDeployment, service: str, network: ContainerRules, pid: int) -> None:
        self._network = network
        self._pid = pid
        self._port = int(deployment.described[service]["port"])

    def detour(self) -> Detour:
        taken = set(looking.listening_ports(self._pid))
        free = (port for port in range(_FIRST_PORT, 60_000) if port not in taken)
        host = looking.listening_host(self._pid, self._port)
        return Detour(host="0.0.0.0", listen=next(free), upstream_host=host, upstream=self._port, ready=next(free))

    def divert(self, detour: Detour) -> None:
        self._network.redirect(RELAY, detour.upstream, detour.listen)
        self._network.reset_port(detour.upstream)

    def restore(self) -> None:
        self._network.stop_redirect(RELAY)

    def is_listening(self, port: int) -> bool:
        return looking.is_listening(self._pid, port)


def listener_of(deployment: ContainersDeployment, service: str) -> ContainerListener | None:
    """Of a service that runs, and listens on a port that we know; None else."""
    network, pid = network_of(deployment, service), deployment.first(service).pid
    if network is None or pid is None or not deployment.described[service]["port"]:
        return None
    return ContainerListener(deployment, service, network, pid)


class ContainerResolver:
    """The engine's resolver as one container sees it: questions for hidden names are refused in its own network.

    A program may keep what it resolved before: a Java machine does for 30 s.
    """

    def __init__(self, deployment: ContainersDeployment, service: str) -> None:
        self._deployment = deployment
        self._service = service
        self._path = deployment.directory / "names" / f"{service}.json"

    def hide(self, names: Collection[str]) -> None:
        """The names are written down, and hidden again as soon as a new start of the container is seen.

        With a service's name go all others by which its containers are found.
        """
        if names:
            self._path.parent.mkdir(exist_ok=True)
            files.write_json(self._path, {"names": sorted({*names, *self._aliases(names)})})
        else:
            self._path.unlink(missing_ok=True)
        network = network_of(self._deployment, self._service)
        if network is None:
            return
        self.apply(network)
        if addresses := self._addresses(names):
            network.reset_connections(addresses)
            # what was resolved just before may be connected just after the first reset, and then kept for long
            clock.wait_until(
                lambda: self._reset_again(network, addresses, names),
                timeout_s=_RESET_S,
                what=f"{self._service!r} to let go of its connections to {', '.join(sorted(names))}",
            )

    def _reset_again(self, network: ContainerRules, addresses: Collection[str], names: Collection[str]) -> bool:
        """Whether no connection is left; those that are there are reset once more."""
        if not self.connections(names):
            return True
        network.reset_connections(addresses)
        return False

    def apply(self, network: ContainerRules) -> None:
        """Have the rules say what is written down."""
        names = self.hidden()
        if names:
            network.hide_names(NAMES, names, self._deployment.domains)
        else:
            network.show_names(NAMES)

    def hidden(self) -> list[str]:
        """What is to be hidden."""
        return list(files.read_json(self._path).get("names", ()))

    def resolved(self, names: Collection[str]) -> frozenset[str]:
        network = self._running()
        return network.resolved(Path(lookup.__file__), sorted(names), _LOOK_S)

    def connections(self, names: Collection[str]) -> int:
        addresses, pid = self._addresses(names), self._deployment.first(self._service).pid
        rows = looking.sockets(pid) if pid is not None else []
        return sum(row.state == looking.ESTABLISHED and looking.as_text(row.remote) in addresses for row in rows)

    def _running(self) -> ContainerRules:
        network = network_of(self._deployment, self._service)
        if network is None:
            msg = f"service {self._service!r} of {self._deployment.system!r} does not run, so it resolves no names"
            raise DeploymentError(msg)
        return network

    def _aliases(self, names: Collection[str]) -> Iterator[str]:
        """Short ids and the names of containers are left out: nobody asks for these."""
        for name in names:
            for number in range(1, len(self._deployment.find().get(name, ())) + 1):
                seen = self._deployment.seen(name, number)
                yield from (one for one in seen.aliases if one != seen.name and not seen.id.startswith(one))

    def _addresses(self, names: Collection[str]) -> frozenset[str]:
        known = (name for name in names if name in self._deployment.described)
        return frozenset(
            one.inner_address[0] for name in known for one in self._deployment.instances(name) if one.inner_address
        )


def hide_again(deployment: ContainersDeployment, service: str, seen: Seen) -> None:
    """Hide from a container that was started meanwhile what was hidden from it before."""
    resolver, started = ContainerResolver(deployment, service), looking.start_time(seen.pid)
    if started is not None and not seen.host_network and resolver.hidden():
        who = f"service {service!r}"
        resolver.apply(ContainerRules(seen.pid, started, who=who, spared=deployment.spared_ports))


def resolver_of(deployment: ContainersDeployment, service: str) -> ContainerResolver | None:
    """Of a service with a network of its own, up or not; None else."""
    seen = deployment.seen(service)
    asks_the_engine = not seen.host_network and (seen.address or seen.status != "running")
    return ContainerResolver(deployment, service) if asks_the_engine else None
