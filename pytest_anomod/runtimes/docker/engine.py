"""The Docker engine as we use it: whether one answers, our labels on what is ours, and its errors in our words."""

from __future__ import annotations

import calendar
import contextlib
import functools
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.host import processes
from pytest_anomod.model.clock import NS_PER_S
from pytest_anomod.model.errors import DeploymentError

if TYPE_CHECKING:
    import docker

DEFAULT = "unix:///var/run/docker.sock"
LOOK_S = 0.3
"""How long an engine may take to take a connection before we say that there is none."""
TIMEOUT_S = 60.0
SIDE_BY_SIDE = 8
"""Calls to the engine at a time: more of them only wait for each other."""

PIECE = 16 * 1024
"""Bytes of a line that the engine takes at a time."""
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.?(\d{0,9})Z ")

OWNER = "pytest-anomod.owner"
"""Label of all containers and networks of ours: the tag of the session's owner, as on processes."""
SESSION, RUN, WORKER = "pytest-anomod.session", "pytest-anomod.run", "pytest-anomod.worker"
DEPLOYMENT, SYSTEM, SERVICE = "pytest-anomod.deployment", "pytest-anomod.system", "pytest-anomod.service"


def engine_url() -> str:
    """Where the engine is: DOCKER_HOST, or the usual socket."""
    return os.environ.get("DOCKER_HOST") or DEFAULT


def why_not(url: str | None = None) -> str:
    """Why no engine can be used, in a few words; "" when something takes connections there. Costs next to nothing."""
    url = url or engine_url()
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(LOOK_S)
                probe.connect(parts.path)
        elif parts.scheme in ("tcp", "http", "https") and parts.hostname:
            socket.create_connection((parts.hostname, parts.port or 2375), LOOK_S).close()
    except OSError as error:
        return f"no Docker daemon answers at {url} ({error.strerror or error})"
    return ""


@functools.cache
def connect(url: str) -> docker.DockerClient:
    """A client of the engine there, one a process; DeploymentError when none answers."""
    reason = why_not(url)
    if reason:
        msg = f"{reason}; start one, set DOCKER_HOST, or use --anomod-runtime=process"
        raise DeploymentError(msg)
    import docker

    with translated("the engine can't be spoken to"):
        # `from_env` brings the certificates that DOCKER_HOST may need
        own = url != engine_url()
        client = docker.DockerClient(base_url=url, timeout=TIMEOUT_S) if own else docker.from_env(timeout=TIMEOUT_S)
        client.ping()
    return client


def is_local(client: docker.DockerClient) -> bool:
    """Whether the processes of containers are processes of this machine, with pids that we know.

    By the name of the host too: whoever is in a container that was handed the socket has the kernel, but not the pids.
    """
    with translated("the engine does not tell where it runs"):
        found, here = client.info(), os.uname()
    return sys.platform == "linux" and (found["KernelVersion"], found["Name"]) == (here.release, here.nodename)


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn errors of the engine and of the way to it into DeploymentError: `what`, and the engine's own words."""
    import docker.errors
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        msg = f"{what}: the Docker engine says: {error.explanation or error}"
        raise DeploymentError(msg) from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        msg = f"{what}: no answer from the Docker engine ({error}); does it still run?"
        raise DeploymentError(msg) from None  # the way to it is three libraries deep, and says no more


def engine_lines(said: bytes) -> list[tuple[int, bytes]]:
    """What an engine has of a container's output, with timestamps, as (time in ns, line); unfinished ones are left out.

    The engine takes a long line in pieces of 16 KiB, each with a timestamp of its own; the first piece's counts.
    """
    lines = []
    for line in said.split(b"\n")[:-1]:
        found = _STAMP.match(line)
        if found is None:
            continue
        text = line[found.end() :]
        at = PIECE
        while len(text) > at and (inner := _STAMP.match(text, at)):
            text = text[:at] + text[inner.end() :]
            at += PIECE
        lines.append((_second(found[1]) * NS_PER_S + int(found[2].ljust(9, b"0")), text))
    return lines


@functools.lru_cache(maxsize=4)
def _second(text: bytes) -> int:
    return calendar.timegm(time.strptime(text.decode(), "%Y-%m-%dT%H:%M:%S"))


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
