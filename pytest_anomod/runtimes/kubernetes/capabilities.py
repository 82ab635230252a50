"""What can be done to a service of a replica that runs in a pod, with rights in its namespace and no others."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_anomod.model import clock
from pytest_anomod.model.capability import (
    Agent,
    ControlGroup,
    Detour,
    Lifecycle,
    Listener,
    PeerPolicy,
    Pods,
    PodsOf,
    ProcessMemory,
    Programs,
    Resolver,
    StoreLogin,
)
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import instance_of
from pytest_anomod.runtimes.kubernetes import groups, policies
from pytest_anomod.runtimes.kubernetes.api import path_of
from pytest_anomod.runtimes.kubernetes.objects import CONTAINER, GIVEN_NAME, labels, named, secret
from pytest_anomod.runtimes.replica_capabilities import (
    OfReplica,
    ReplicaAgent,
    ReplicaListener,
    ReplicaLogin,
    ReplicaPrograms,
    ReplicaResolver,
)

if TYPE_CHECKING:
    from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment

GONE_WITHIN_S = 20.0
BACK_WITHIN_S = 60.0
"""How long a pod may take to be replaced where a node is busy."""
_NAMES_GIVEN = "given_names.json"


class PodLifecycle(OfReplica):
    """A pod is killed by deletion, which its Deployment answers with another; a service is stopped by no replicas."""

    deployment: KubernetesDeployment

    def kill(self) -> None:
        pod = self._pod()
        if pod is None or pod["state"] != "running":
            msg = f"service {self.service!r} of {self.deployment.system!r} has no pod to kill"
            raise DeploymentError(msg)
        # a deletion alone begins with SIGTERM; where nobody answers any more, it ends what is left
        with contextlib.suppress(DeploymentError):
            self.deployment.ask(self.service, "kill", timeout_s=1.0)
        self.deployment.api.delete(path_of("v1", "pods", self.deployment.namespace, pod["pod"]), grace_s=0)
        clock.wait_until(
            lambda: (self._pod() or {}).get("pod") != pod["pod"],
            timeout_s=GONE_WITHIN_S,
            what=f"the end of pod {pod['pod']}",
            every_s=0.02,
        )
        self.deployment.forget_instances()

    def stop(self) -> None:
        self.deployment.forget_instances()
        self._scale(0)
        clock.wait_until(lambda: self._pod() is None, timeout_s=GONE_WITHIN_S, what=f"the end of {self.service!r}")

    def start(self) -> None:
        """A container that waits for its next try after it ended again and again is replaced: that can take minutes."""
        self._scale(1)
        pod = self._pod()
        if pod is not None and pod["state"] != "running" and pod["why"]:
            self.deployment.api.delete(path_of("v1", "pods", self.deployment.namespace, pod["pod"]), grace_s=0)
        self.deployment.forget_instances()
        clock.wait_until(
            lambda: self._runs() and self.deployment.answers(self.service),
            timeout_s=BACK_WITHIN_S,
            what=f"{self.service!r} to answer after its start",
            every_s=0.1,
        )

    def _runs(self) -> bool:
        self.deployment.forget_instances()
        return instance_of(self.deployment, self.service).state == "running"

    def _pod(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.deployment.pods().get(self.service)
        return found

    def _scale(self, replicas: int) -> None:
        path = path_of("apps/v1", "deployments", self.deployment.namespace, named(self.deployment.ref, self.service))
        self.deployment.api.patch(path, {"spec": {"replicas": replicas}})


class PodPrograms(ReplicaPrograms):
    """Our stand-alone programs ([python, "-I", "-S", file, ...]) run in the container; any other on this machine.

    Those in the container are its first process's children: they end with it, at their deadline, or when told to.
    """

    deployment: KubernetesDeployment

    def run(self, argv: Sequence[str], *, name: str, deadline_s: float) -> int:
        """Start a program; its pid there."""
        if list(argv[:3]) != [sys.executable, "-I", "-S"]:
            return super().run(argv, name=name, deadline_s=deadline_s)
        self.deployment.programs.check_new(self.service, name, deadline_s)
        source = Path(argv[3]).read_text()
        words: Json = {"name": name, "source": source, "argv": list(argv[4:]), "deadline_s": deadline_s + 0.5}
        pid: Any = self.deployment.ask(self.service, "run", **words)
        return int(pid)

    def running(self) -> Mapping[str, int]:
        return {**super().running(), **self._inside()}

    def end(self, name: str) -> None:
        """End a program, wherever it runs; idempotent. With its container it is gone already."""
        super().end(name)
        if self._is_up():
            self.deployment.ask(self.service, "end", name=name)

    def _inside(self) -> Mapping[str, int]:
        try:
            found: Any = self.deployment.ask(self.service, "running")
        except DeploymentError:
            if self._is_up():
                raise
            return {}
        return dict(found)

    def _is_up(self) -> bool:
        self.deployment.forget_instances()
        return instance_of(self.deployment, self.service).state == "running"


class PodListener(ReplicaListener):
    """The same as of a process; the ports are those of the pod."""

    deployment: KubernetesDeployment
    host = "0.0.0.0"

    def detour(self) -> Detour:
        port = int(self.deployment.described(self.service)["inner"][1])
        return dataclasses.replace(super().detour(), listen=port)

    def is_listening(self, port: int) -> bool:
        try:
            return bool(self.deployment.ask(self.service, "listening", port=port))
        except DeploymentError:
            return False


class PodResolver(ReplicaResolver):
    """The table of names of a service: the pod's own file, and what the next pod is given."""

    deployment: KubernetesDeployment

    def hide(self, names: Collection[str]) -> None:
        deployment = self.deployment
        for name in names:
            deployment.described(name)
        file = f"names/{self.service}.json"
        key = file.replace("/", "__")
        given = secret(deployment.ref, {file: _text(names)})["data"] if names else {key: None}
        deployment.api.patch(
            path_of("v1", "secrets", deployment.namespace, named(deployment.ref, GIVEN_NAME)), {"data": given}
        )
        while (before := instance_of(deployment, self.service)).state == "running":
            try:
                deployment.ask(self.service, "write", path=file, text=_text(names) if names else None)
                ReplicaAgent(deployment, self.service).ask("/names/refresh")
                return
            except DeploymentError:
                clock.sleep(0.2)  # it may have died just now, and the next pod is given the file
                deployment.forget_instances()
                if instance_of(deployment, self.service) == before:
                    raise


class PodMemory(OfReplica):
    """Memory of the processes in a pod, as its first process sees and limits it."""

    deployment: KubernetesDeployment

    def server(self) -> int | None:
        instance = instance_of(self.deployment, self.service)
        return int(self._asked()["server"]) if instance.state == "running" else None

    def processes(self) -> dict[int, tuple[int, int | None]]:
        return {int(pid): (size, limit) for pid, (size, limit) in self._asked()["processes"].items()}

    def limit(self, pids: Collection[int], limit_bytes: int | None) -> None:
        self.deployment.ask(self.service, "limit_memory", pids=list(pids), bytes=limit_bytes)

    def _asked(self) -> Any:
        return self.deployment.ask(self.service, "memory")


class PodsOfService(OfReplica):
    """Where the pods are, for what chooses them by labels."""

    deployment: KubernetesDeployment

    def where(self) -> PodsOf:
        deployment = self.deployment
        return PodsOf(
            place=deployment.ref["place"],
            namespace=deployment.namespace,
            labels=labels(deployment.ref, self.service),
            container=CONTAINER,
            port=int(deployment.described(self.service)["inner"][1]),
        )


def _text(names: Collection[str]) -> str:
    return json.dumps(sorted(names))


OF_PODS: Mapping[type, Callable[[Any, str], Any]] = {
    Lifecycle: PodLifecycle,
    Programs: PodPrograms,
    Agent: ReplicaAgent,
    Listener: PodListener,
    Resolver: PodResolver,
    StoreLogin: ReplicaLogin,
    Pods: PodsOfService,
    ControlGroup: groups.of_pod,
    PeerPolicy: policies.PodPolicy,
    ProcessMemory: PodMemory,
}
