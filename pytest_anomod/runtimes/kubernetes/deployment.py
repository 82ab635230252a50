"""A replica that runs in a cluster: what can be asked of it and done to it, from any process that has its ref."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.host import health
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, Stats
from pytest_anomod.model.source import Source
from pytest_anomod.runtimes.kubernetes import capabilities, records
from pytest_anomod.runtimes.kubernetes.api import Api, path_of
from pytest_anomod.runtimes.kubernetes.asking import ask
from pytest_anomod.runtimes.kubernetes.objects import BASE_PORT, named
from pytest_anomod.runtimes.kubernetes.watched import Watched
from pytest_anomod.runtimes.replica import ReplicaDeployment

_AT_ONCE = 200
"""Ports of a pod that its service does not use, of which one is free."""


class KubernetesDeployment(Watched, ReplicaDeployment):
    """The Deployment of the Kubernetes runtime: one pod a service, told apart by their labels.

    What is there is known from the watcher, a program of ours that follows the pods (watcher.py). Pids are of nobody
    here: a start time is when a pod was first seen to have begun.
    """

    runtime = "kubernetes"

    def __init__(self, ref: Mapping[str, Json]) -> None:
        super().__init__(ref)
        self.api = Api(ref["place"])
        self.namespace: str = ref["namespace"]
        self.capabilities = capabilities.OF_PODS

    def ask(self, service: str, do: str, **words: Json) -> Json:
        """Ask the first process of a service's container; DeploymentError when it does not answer."""
        host, port = self.described(service)["inside"]
        return ask((host, port), self.token(), do, **words)

    # what is there

    def pods(self) -> Mapping[str, Any]:
        """The pod of each service, as the watcher has them; DeploymentError while it does not reach the cluster."""
        found: Mapping[str, Any] = self.seen()["services"]
        return found

    def _look(self) -> tuple[Instance, ...]:
        said = self.seen()
        pods, numbers = said["services"], said["numbers"]
        return tuple(self._instance(name, pods.get(name), numbers.get(name, 1)) for name in self.document["services"])

    def _instance(self, service: str, pod: Mapping[str, Any] | None, number: int) -> Instance:
        described = self.described(service)
        state = pod["state"] if pod else ("stopped" if self.is_stopped(service) else "restarting")
        return self._as_instance(
            service,
            state=state,
            pid=None,
            start_time=pod["began"] if pod and state == "running" else None,
            restarts=number - 1,
            inner_address=(described["inner"][0], described["inner"][1]) if state == "running" else None,
        )

    def is_stopped(self, service: str) -> bool:
        """Whether its Deployment is scaled to zero."""
        found = self.api.get(path_of("apps/v1", "deployments", self.namespace, named(self.ref, service)))
        return found is None or found["spec"]["replicas"] == 0

    def answers(self, service: str, timeout_s: float = 0.5) -> bool:
        """Whether the service takes a connection at its Service's address and answers a health request."""
        described = self.described(service)
        return health.is_well(described["log_format"], (described["host"], described["port"]), timeout_s)

    def stats(self, service: str) -> Stats | None:
        """Resource use of all that runs in a service's container but our own process; None while there is none."""
        try:
            figures: Any = self.ask(service, "figures")
        except DeploymentError:
            return None
        return Stats(time_unix_nano=clock.now_ns(), **figures)

    def sources(self) -> tuple[Source, ...]:
        """As of any replica, and what the cluster says of its pods."""
        return (*super().sources(), *records.sources(self.directory, self.document["services"]))

    def free_port(self) -> int:
        """A port that nothing in any of the pods uses, and that was not handed out before."""
        services = self.document["services"]
        taken = {described["inner"][1] for described in services.values()} | self._handed_out
        first = BASE_PORT + 2 * len(services) + 100
        port = next(port for port in range(first, first + _AT_ONCE) if port not in taken)
        self._handed_out.add(port)
        return port
