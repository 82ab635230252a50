"""Chooses the runtime for `auto`: containers if an engine of this machine answers and has, or can get, our image."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_anomod.host.locks import image_lock
from pytest_anomod.model import catalog, clock
from pytest_anomod.model.errors import AnomodError, DeploymentError, ScenarioError
from pytest_anomod.model.system import System
from pytest_anomod.runtimes.docker import engine as docker_engine

if TYPE_CHECKING:
    import docker

AUTO = "auto"
ANSWER_S = 3.0
"""How long an engine may take to answer a ping before we say that there is none."""
AGREED = "runtime.json"
"""File in the directory that workers share."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A runtime's name and why it was taken, in a few words; `to_build`: its image is still to be made.

    `instead` are the runtimes that the systems of a run go to, where none of them goes to that one.
    """

    runtime: str
    why: str
    to_build: bool = False
    instead: str = ""

    @property
    def told(self) -> tuple[str, str]:
        """The sentence for the user: the runtime that its systems have, and why."""
        return (self.instead, "no other takes these systems") if self.instead else (self.runtime, self.why)


def look() -> Choice:
    """What `auto` takes on this machine now; costs next to nothing where no engine is. Nothing is built."""
    url = docker_engine.engine_url()
    reason = docker_engine.why_not(url) or _why_silent(url)
    if reason:
        return Choice(runtime="process", why=reason)
    try:
        client = docker_engine.connect(url)
        reason = _why_elsewhere(client, url)
        return Choice(runtime="process", why=reason) if reason else _by_image(client, url)
    except DeploymentError as error:
        return Choice(runtime="process", why=str(error))


def settle(found: Choice, say: Callable[[str], None]) -> Choice:
    """The choice with its image made, if that was still to do; processes, and the reason, when it could not be made.

    `say` hears when it begins: it takes from seconds to two minutes. No two processes build at a time.
    """
    if not found.to_build:
        return found
    from pytest_anomod.runtimes.docker import image as docker_image

    url = docker_engine.engine_url()
    name = docker_image.image_name()
    say(f"building {name}, the image of all services, once for this code; --anomod-runtime=process does without")
    began = clock.monotonic_s()
    try:
        with image_lock(name), docker_engine.translated(f"image {name} was not built"):
            client = docker_engine.connect(url)
            docker_image.build(client, lambda line: None)
            docker_image.require_image(client)
    except (AnomodError, OSError) as error:
        return Choice(runtime="process", why=f"a Docker daemon answers at {url}, but the image was not built: {error}")
    why = f"a Docker daemon answers at {url}; {name} was built in {clock.monotonic_s() - began:.0f} s"
    return Choice(runtime="docker", why=why)


@functools.cache
def choose() -> tuple[str, str]:
    """The runtime's name and why, as the machine is: an image that is still to be made counts as none."""
    found = look()
    return ("process", f"{found.why}: anomod image build") if found.to_build else (found.runtime, found.why)


def runtime_for(found: Choice, system: System) -> str:
    """Name of the runtime for one system: the one that was taken, else the first on offer that does not refuse it.

    ScenarioError with the reason of each runtime when there is none. `docker` is never a second choice.
    """
    others = [name for name in catalog.offers("runtimes") if name not in (found.runtime, "docker")]
    reasons = []
    for name in (found.runtime, *others):
        asked = getattr(catalog.find("runtimes", name), "refusal", None)
        why = asked(system) if asked else ""
        if not why:
            return name
        reasons.append(f"{name}: {why}")
    msg = f"no runtime takes system {system.name!r}: {'; '.join(reasons)}; give it a replica or install its runtime"
    raise ScenarioError(msg)


def agree(directory: Path | None, decide: Callable[[Choice | None], Choice]) -> Choice:
    """One choice for all workers of a run, which share a directory: `decide` gets what was agreed on so far.

    One process decides at a time. Without a directory, or one that can't be reached, each decides for itself.
    """
    if directory is None or not directory.is_dir():
        return decide(None)
    with _locked(directory / "runtime.lock"):
        before = agreed(directory)
        found = decide(before)
        if found != before:
            (directory / AGREED).write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
    return found


def agreed(directory: Path) -> Choice | None:
    """What the workers that share a directory agreed on; None when they did not have to."""
    try:
        return Choice(**json.loads((directory / AGREED).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _why_silent(url: str) -> str:
    """Why what takes connections there is no engine that we can use at once; asked without the engine's library."""
    parts = urlsplit(url)
    if parts.scheme not in ("unix", "tcp", "http", "https"):
        return f"DOCKER_HOST={url} leads to another machine"
    try:
        with socket.socket(socket.AF_UNIX if parts.scheme == "unix" else socket.AF_INET) as probe:
            probe.settimeout(ANSWER_S)
            probe.connect(parts.path if parts.scheme == "unix" else (parts.hostname, parts.port or 2375))
            probe.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            said = probe.recv(5)
    except OSError as error:
        return f"no Docker daemon answers at {url} within {ANSWER_S:g} s ({error.strerror or error})"
    return "" if said == b"HTTP/" else f"what takes connections at {url} is no Docker daemon"


def _why_elsewhere(client: docker.DockerClient, url: str) -> str:
    """Why the engine's containers are not on this machine, where their processes, ports and files are worked on."""
    if docker_engine.is_local(client):
        return ""
    return f"the engine at {url} runs on another machine; --anomod-runtime=docker takes it all the same"


def _by_image(client: docker.DockerClient, url: str) -> Choice:
    from pytest_anomod.runtimes.docker import image as docker_image

    try:
        image = docker_image.require_image(client)
    except DeploymentError as error:
        reason = docker_image.obstacle(client)
        if reason:
            why = f"a Docker daemon answers at {url}, but {error} (not done by itself, for {reason})"
            return Choice(runtime="process", why=why)
        why = f"a Docker daemon answers at {url}, and {docker_image.image_name()} can be built here"
        return Choice(runtime="docker", why=why, to_build=True)
    return Choice(runtime="docker", why=f"a Docker daemon answers at {url} and has {image}")
