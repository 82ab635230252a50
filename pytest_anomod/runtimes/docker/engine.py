"""Containers and networks of ours on a Docker engine: our labels on them, and their removal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import processes
from pytest_anomod.host.engine import PIECE, connect, engine_lines, engine_url, translated, why_not

if TYPE_CHECKING:
    import docker

__all__ = [
    "PIECE", "connect", "each", "engine_lines", "engine_url", "is_local", "remove_all", "remove_dead", "translated",
    "why_not",
]  # fmt: skip

SIDE_BY_SIDE = 8
"""Calls to the engine at a time: more of them only wait for each other."""

OWNER = "pytest-anomod.owner"
"""Label of all containers and networks of ours: the tag of the session's owner, as on processes."""
SESSION, RUN, WORKER = "pytest-anomod.session", "pytest-anomod.run", "pytest-anomod.worker"
DEPLOYMENT, SYSTEM, SERVICE = "pytest-anomod.deployment", "pytest-anomod.system", "pytest-anomod.service"


def is_local(client: docker.DockerClient) -> bool:
    """Whether the processes of containers are processes of this machine, with pids that we know.

    By the name of the host too: whoever is in a container that was handed the socket has the kernel, but not the pids.
    """
    with translated("the engine does not tell where it runs"):
        found, here = client.info(), os.uname()
    return sys.platform == "linux" and (found["KernelVersion"], found["Name"]) == (here.release, here.nodename)


def each(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Do something for all items, some at a time; what the first of them raises is raised once all are done."""
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE, thread_name_prefix="engine") as pool:
        futures = [pool.submit(work, item) for item in items]
    return [future.result() for future in futures]


def remove_all(client: docker.DockerClient, label: str) -> int:
    """Remove all containers, networks and volumes that carry a label, in use or not; return how many there were."""
    import docker.errors

    def remove(container: Mapping[str, Any]) -> None:
        try:
            client.api.remove_container(container["Id"], force=True, v=True)
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409):  # gone, or someone is removing it
                raise

    count = 0
    with translated(f"what carries the label {label} was not removed"):
        for _ in range(50):  # those that someone else is removing are looked at again
            containers = client.api.containers(all=True, filters={"label": label})
            if not containers:
                break
            count = max(count, len(containers))
            each(remove, containers)
        for network in client.api.networks(filters={"label": label}):
            count += 1
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_network(network["Id"])
        for volume in client.api.volumes(filters={"label": label})["Volumes"] or ():
            count += 1
            with contextlib.suppress(docker.errors.NotFound):
                client.api.remove_volume(volume["Name"], force=True)
    return count


def remove_dead(client: docker.DockerClient) -> list[str]:
    """Remove what carries the tag of an owner that is dead; a line for each deployment. Nothing else is touched."""
    found: dict[str, str] = {}
    with translated("containers of dead sessions were not looked for"):
        things = client.api.containers(all=True, filters={"label": OWNER})
        things += client.api.networks(filters={"label": OWNER})
        things += client.api.volumes(filters={"label": OWNER})["Volumes"] or ()
    for thing in things:
        labels = thing["Labels"]
        if processes.owner_alive(labels[OWNER]) is False:
            found[labels.get(DEPLOYMENT, "")] = labels.get(SYSTEM, "")
    lines = []
    for deployment, system in found.items():
        count = remove_all(client, f"{DEPLOYMENT}={deployment}")
        what = f"{count} containers, networks and volumes of {system!r}"
        lines.append(f"removed {what}, left by dead session {deployment}")
    return lines
