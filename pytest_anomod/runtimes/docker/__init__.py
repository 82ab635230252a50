"""The runtime `docker`: replicas as one container for each service and store, on a private network."""

from pytest_anomod.runtimes.docker.runtime import OFFERS, DockerRuntime

__all__ = ["OFFERS", "DockerRuntime"]
