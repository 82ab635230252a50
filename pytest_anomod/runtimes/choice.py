"""Which runtime `auto` takes: containers where a Docker engine answers and has our image, else plain processes."""

from __future__ import annotations

import functools

from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.runtimes import docker_engine

AUTO = "auto"


@functools.cache
def choose() -> tuple[str, str]:
    """The runtime's name and why, in a few words; costs next to nothing where no engine is."""
    url = docker_engine.engine_url()
    reason = docker_engine.why_not(url)
    if reason:
        return "process", reason
    from pytest_anomod.runtimes.docker_image import require_image

    try:
        image = require_image(docker_engine.connect(url))
    except DeploymentError as error:
        return "process", str(error)
    return "docker", f"a Docker daemon answers at {url} and has {image}"
