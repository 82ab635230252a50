"""The container engine by Docker's API: whether one answers, the output of containers, its errors as ours."""

from __future__ import annotations

import calendar
import contextlib
import functools
import os
import re
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pytest_anomod.model.clock import NS_PER_S, now_ns
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.runtime import Stats

if TYPE_CHECKING:
    import docker

DEFAULT = "unix:///var/run/docker.sock"
LOOK_S = 0.3
"""How long an engine may take to take a connection before we say that there is none."""
TIMEOUT_S = 60.0

PIECE = 16 * 1024
"""Bytes of a line that the engine takes at a time."""
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.?(\d{0,9})Z ")


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
        raise DeploymentError(msg) from None  # errors of the connection come from three libraries, and say no more


def output(url: str, container: str, since_ns: int, *, stderr: bool = True) -> list[tuple[int, bytes]]:
    """Lines that the engine took since a time from a container, in order, each with the time when it took it."""
    with translated(f"the output of container {container!r} can't be had"):
        said: Any = connect(url).api.logs(
            container,
            stderr=stderr,
            timestamps=True,
            since=max(1.0, since_ns / NS_PER_S),  # less would be written as a power of ten
        )
    return engine_lines(said)


def container_figures(client: docker.DockerClient, container: str, service: str) -> Stats:
    """Resource use of a container, as its engine tells: for engines whose processes are not of this machine."""
    with translated(f"the figures of {service!r} can't be had"):
        found = client.api.stats(container, stream=False, one_shot=True)
    moved = {"read": 0, "write": 0}
    for row in (found.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ():
        moved[row["op"].lower()] = moved.get(row["op"].lower(), 0) + row["value"]
    return Stats(
        time_unix_nano=now_ns(),
        cpu_s=found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
        memory_bytes=found["memory_stats"].get("usage", 0),
        read_bytes=moved["read"],
        written_bytes=moved["write"],
        threads=found["pids_stats"].get("current", 0),
        stopped=False,
    )


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
