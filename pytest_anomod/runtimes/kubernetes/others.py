"""Other people's systems in a cluster: manifests in a namespace of ours, or what runs in theirs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_anomod.host import files
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Lifecycle, Listener, Pods, PodsOf, Programs, StoreLogin
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.model.runtime import Instance, Stats, instance_of
from pytest_anomod.model.source import LogFile, NoSource, OtlpInbox, ResourceFigures, Source
from pytest_anomod.runtimes.kubernetes import figures, records, states
from pytest_anomod.runtimes.kubernetes.api import PODS, Api, path_of, shared_selector
from pytest_anomod.runtimes.kubernetes.relay import RelayListener, RelayPrograms
from pytest_anomod.runtimes.kubernetes.watched import Watched
from pytest_anomod.runtimes.plain import OfService, PlainDeployment, ServiceLogin

GONE_WITHIN_S = 30.0
BACK_WITHIN_S = 120.0


class WorkloadLifecycle(OfService):
    """A pod is killed by deletion, which its workload answers with another; a service is stopped by no replicas."""

    deployment: OthersDeployment

    def kill(self) -> None:
        pod = self._pod()
        if pod is None:
            msg = f"service {self.service!r} of {self.deployment.system!r} has no pod to kill"
            raise DeploymentError(msg)
        self.deployment.api.delete(path_of("v1", "pods", self.deployment.namespace, pod["pod"]), grace_s=0)
        clock.wait_until(
            lambda: (self._pod() or {}).get("uid") != pod["uid"],
            timeout_s=GONE_WITHIN_S,
            what=f"the end of pod {pod['pod']}",
            every_s=0.02,
        )
        self.deployment.forget_instances()

    def stop(self) -> None:
        self.deployment.originals.remember(self._key, self._workload()["spec"].get("replicas", 1))
        self._scale(0)
        clock.wait_until(lambda: self._pod() is None, timeout_s=GONE_WITHIN_S, what=f"the end of {self.service!r}")
        self.deployment.forget_instances()

    def start(self) -> None:
        """As many replicas as there were."""
        before: Any = self.deployment.originals.recall(self._key)
        if before is not None:
            self._scale(int(before))
        clock.wait_until(self._is_back, timeout_s=BACK_WITHIN_S, what=f"{self.service!r} to answer", every_s=0.1)
        self.deployment.originals.forget(self._key)

    def _is_back(self) -> bool:
        self.deployment.forget_instances()
        return instance_of(self.deployment, self.service).state == "running" and self.deployment.answers(self.service)

    @property
    def _key(self) -> str:
        return f"replicas of {self.service}"

    def _pod(self) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self.deployment.seen()["services"].get(self.service)
        return found

    def _workload(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] | None = self.deployment.api.get(self.deployment.workload_path(self.service))
        if found is None:
            msg = f"service {self.service!r} of {self.deployment.system!r} has no workload any more"
            raise DeploymentError(msg)
        return found

    def _scale(self, replicas: int) -> None:
        self.deployment.api.patch(self.deployment.workload_path(self.service), {"spec": {"replicas": replicas}})


class WorkloadPods(OfService):
    """Where the pods are, for what chooses them by labels."""

    deployment: OthersDeployment

    def where(self) -> PodsOf:
        described = self.deployment.described(self.service)
        return PodsOf(
            place=self.deployment.ref["place"],
            namespace=self.deployment.namespace,
            labels=described["labels"],
            container=described["container"],
            port=int(described["inner"][1]),
            replaceable=self.deployment.ref["ours"] or "kill_service" in self.deployment.document["allow"],
        )


def _lifecycle(deployment: OthersDeployment, service: str) -> WorkloadLifecycle | None:
    allowed = deployment.ref["ours"] or NEEDS_ALLOWANCE & set(deployment.document["allow"])
    return WorkloadLifecycle(deployment, service) if allowed and deployment.described(service)["workload"] else None


def _login(deployment: OthersDeployment, service: str) -> ServiceLogin | None:
    return ServiceLogin(deployment, service) if deployment.described(service)["login"] else None


def _listener(deployment: OthersDeployment, service: str) -> RelayListener | None:
    """Of a service that is reached at the address of its Service, by what is in the cluster and by us."""
    described = deployment.described(service)
    return RelayListener(deployment, service) if described["service"] and not described["forwarded"] else None


NEEDS_ALLOWANCE = frozenset({"kill_service", "stop_service"})
"""Faults of which a service that is not ours has the capability only if its owner names one of them."""
OF_OTHERS: Mapping[type, Callable[[Any, str], Any]] = {
    Lifecycle: _lifecycle,
    Programs: RelayPrograms,
    Listener: _listener,
    Pods: WorkloadPods,
    StoreLogin: _login,
}


class OthersDeployment(Watched, PlainDeployment):
    """The Deployment of such a system; what there is of it is known from the watcher."""

    runtime = "kubernetes"
    capabilities = OF_OTHERS

    def __init__(self, ref: Mapping[str, Json]) -> None:
        super().__init__(ref)
        self.api = Api(ref["place"])
        self.namespace: str = ref["namespace"]
        self._figures = figures.Figures(self.api, self.namespace)

    def token(self) -> str:
        """What our own programs in the cluster want to be shown."""
        return Path(self.ref["token_file"]).read_text().strip()

    def unwatched(self) -> Mapping[str, Any]:
        """What the cluster says now: faults are taken out after the owner's end, too, when the watcher has ended."""
        services = self.document["services"]
        found = self.api.get(path_of("v1", "pods", self.namespace), labelSelector=shared_selector(services))
        rows = states.of_services(found["items"], services, states.as_the_cluster_says)
        return {"services": rows, "numbers": files.read_json(self.own / PODS).get("numbers", {})}

    def workload_path(self, service: str) -> str:
        """Path of the Deployment or StatefulSet of a service."""
        kind, name = self.described(service)["workload"]
        return path_of("apps/v1", f"{kind.lower()}s", self.namespace, name)

    def sources(self) -> tuple[Source, ...]:
        """What containers say; whatever else there is the system's definition names."""
        names, inbox = self.document["services"], self.document["inbox"]
        logs = tuple(LogFile(service=name, path=self.directory / "logs" / f"{name}.log") for name in names)
        found = (*logs, *records.sources(self.directory, names), *self._figures_of(names))
        return (*found, *([OtlpInbox(directory=self.directory / inbox)] if inbox else []))

    def _figures_of(self, names: Iterable[str]) -> Iterator[Source]:
        if self.document["figures"] in figures.WAYS:
            yield from (ResourceFigures(service=name) for name in names)
        else:
            yield NoSource(modality="metrics", why=self.document["figures"])

    def stats(self, service: str) -> Stats | None:
        """What the cluster's own figures say of the service's pod; None while they say nothing."""
        way = self.document["figures"]
        pod = self.seen()["services"].get(service)
        return None if pod is None or way not in figures.WAYS else self._figures.of(service, pod, way)

    def _look(self) -> tuple[Instance, ...]:
        said = self.seen()
        return tuple(
            self._instance(name, said["services"].get(name), said["numbers"].get(name, 1))
            for name in self.document["services"]
        )

    def _instance(self, service: str, pod: Mapping[str, Any] | None, number: int) -> Instance:
        state = pod["state"] if pod else ("stopped" if self._is_stopped(service) else "restarting")
        running = pod is not None and state == "running"
        made = self.as_instance(service, pid=None, start_time=pod["began"] if pod and running else None, state=state)
        inner = self.described(service)["inner"]
        return dataclasses.replace(
            made,
            restarts=number - 1,
            instance_id=f"{service}-{number}",
            inner_address=(inner[0], inner[1]) if running and inner[0] else None,
        )

    def _is_stopped(self, service: str) -> bool:
        if not self.described(service)["workload"]:
            return False
        found = self.api.get(self.workload_path(service))
        return found is None or found["spec"].get("replicas", 1) == 0
