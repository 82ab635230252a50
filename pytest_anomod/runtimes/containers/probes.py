"""Whether a container answers: by its engine's protocol, or by its own health check, which is run again."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pytest_anomod.host import probes
from pytest_anomod.host.engine import translated
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes.containers.seen import Seen

if TYPE_CHECKING:
    import docker


def kind_of(kind: str, engine: str, seen: Seen, port: int) -> str:
    """The kind that `auto` stands for: the engine's protocol, else the container's own check, else a connection.

    The protocol is quicker than a program in the container, and as good.
    """
    if kind != "auto":
        return kind
    spoken = probes.kind_for(engine) if port else "tcp"
    return "health" if spoken == "tcp" and seen.check else spoken


def answers_at_all(address: tuple[str, int], timeout_s: float) -> bool:
    """Whether an HTTP server answers, be it with an error: no path is known that asks for it alone, not its peers."""
    try:
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(probes.question("http"))
            return connection.recv(8).startswith(b"HTTP/")
    except OSError:
        return False


def passes_own_check(client: docker.DockerClient, seen: Seen, timeout_s: float) -> bool:
    """Run the container's health check now, as the engine does every so often, and see whether it passes in time."""
    if not seen.check or seen.status != "running":
        return False
    try:
        with translated(f"the health check of {seen.name} was not run"):
            made = client.api.exec_create(seen.id, list(seen.check), stdout=False, stderr=False)["Id"]
            client.api.exec_start(made, detach=True)
            clock.wait_until(
                lambda: not client.api.exec_inspect(made)["Running"], timeout_s=timeout_s, what="a health check"
            )
            return int(client.api.exec_inspect(made)["ExitCode"]) == 0
    except (DeploymentError, TimeoutError):
        return False
