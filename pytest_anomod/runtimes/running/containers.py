"""Containers that run already and are not ours: found once by the names that the user gave, known by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.model import capability as can
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.runtimes.containers.deployment import ContainersDeployment, capabilities
from pytest_anomod.runtimes.docker import engine

NEEDS_ALLOWANCE = frozenset({"kill_service", "stop_service", "memory_pressure"})
"""Faults that need the life of a container in our hands: without one of them allowed it is not."""


class RunningContainers(ContainersDeployment):
    """The containers among the services of a running system; `rows` describe them, with the id of each."""

    runtime = "running"

    def __init__(self, ref: Mapping[str, Json], rows: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(ref)
        self.described = rows

    def find(self) -> Mapping[str, tuple[str, ...]]:
        """By id: a container that its owner made anew is another one."""
        return {name: (row["container"],) for name, row in self.described.items()}


def offered(allow: tuple[str, ...]) -> frozenset[type]:
    """What can be done to containers of a system that is not ours."""
    url = engine.engine_url()
    local = not engine.why_not(url) and engine.is_local(engine.connect(url))
    found = capabilities(local=local)
    return found if NEEDS_ALLOWANCE & set(allow) else found - {can.Lifecycle}


def find_containers(names: Mapping[str, str]) -> tuple[dict[str, str], str, bool]:
    """Ids by service, the engine's URL, and whether it is one of this machine; DeploymentError for one not there."""
    url = engine.engine_url()
    why = engine.why_not(url)
    if why:
        msg = f"the containers {', '.join(names.values())} can't be seen: {why}"
        raise DeploymentError(msg)
    client = engine.connect(url)
    found = {}
    for service, name in names.items():
        rows = client.api.containers(all=True, filters={"name": f"^/?{name}$"}) or client.api.containers(
            all=True, filters={"id": name}
        )
        if not rows:
            msg = f"service {service!r}: the engine at {url} has no container {name!r}"
            raise DeploymentError(msg)
        if rows[0]["State"] != "running":
            msg = f"service {service!r}: container {name!r} does not run, it is {rows[0]['State']}; start it"
            raise DeploymentError(msg)
        found[service] = str(rows[0]["Id"])
    return found, url, engine.is_local(client)
