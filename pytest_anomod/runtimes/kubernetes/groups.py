"""The control group of a pod's container: limits by a resize of the pod, counters as its first process reads them.

A resize (the subresource pods/resize, Kubernetes 1.33 and later) changes limits of a container that runs. The kubelet
writes them to the control group, in periods of 100 ms. A limit can't be taken away again, only raised: put back is one
that nothing reaches. With the pod it is gone.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_anomod.host import cgroups
from pytest_anomod.host.kube_rights import allowed
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Limit, MemoryUse
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json
from pytest_anomod.runtimes.kubernetes.api import Api, path_of
from pytest_anomod.runtimes.kubernetes.objects import CONTAINER

if TYPE_CHECKING:
    from pytest_anomod.runtimes.kubernetes.deployment import KubernetesDeployment

HOLDS_WITHIN_S = 20.0
"""How long a kubelet may take to write a limit."""
FAULTS = frozenset({"cpu_contention", "memory_pressure"})
"""Faults that need it."""
_REFAULTS = ("total_workingset_refault_file", "workingset_refault_file", "workingset_refault")
"""What memory.stat calls them, in versions of control groups and of kernels."""
_NONE: Mapping[Limit, str] = {Limit.CPU: "1024", Limit.MEMORY: "4Ei"}
"""What nothing reaches: 4Ei is what the kernel itself says where there is no limit, or more."""


@functools.cache
def refusal(kubeconfig: str, context: str, namespace: str) -> str:
    """Why pods can't be resized in a cluster; "" when they can. Asked once; DeploymentError without an answer."""
    where: Mapping[str, Json] = {"kubeconfig": kubeconfig, "context": context, "namespace": namespace}
    known = Api(where).get("/api/v1")
    if not any(row["name"] == "pods/resize" for row in known["resources"]):
        return "this cluster can't resize pods: Kubernetes 1.33 or later can"
    if allowed(where, namespace or "default", "", "pods/resize", "patch"):
        return ""
    return "we may not patch pods/resize; `anomod doctor --kubernetes` prints the Role that is needed"


def refusal_at(where: Mapping[str, Json]) -> str:
    """The same of a place (host/cluster.py)."""
    return refusal(str(where["kubeconfig"]), str(where["context"]), str(where["namespace"]))


def of_pod(deployment: KubernetesDeployment, service: str) -> PodGroup | None:
    """The control group of a service's container; None while it does not run, or where pods can't be resized."""
    pod = deployment.pods().get(service)
    if pod is None or pod["state"] != "running" or refusal_at(deployment.ref["place"]):
        return None
    try:
        files: Any = deployment.ask(service, "group", files=["cpu/cpu.max"])
    except DeploymentError:  # it is on its way out
        return None
    return PodGroup(
        version=2 if files else 1, directories={}, deployment=deployment, service=service, pod=str(pod["pod"])
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PodGroup(cgroups.ControlGroup):
    """The files of one container's group, where only its pod sees them."""

    deployment: KubernetesDeployment
    service: str
    pod: str

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._texts(name)

    def limit(self, what: Limit, device: str = "") -> dict[str, str]:
        """What the pod is to be given back: {"cpu": "500m"}."""
        found = self.deployment.api.get(self._path_of_pod())
        if found is None:
            msg = f"pod {self.pod} is gone, and its limits with it"
            raise DeploymentError(msg)
        limits = _container(found)["resources"].get("limits") or {}
        return {str(what): str(limits.get(str(what), _NONE[what]))}

    def put_back(self, texts: Mapping[str, str]) -> None:
        """Resize to what was, and wait until the kernel has it."""
        before = {what: self._kernel(what) for what in texts}
        changed = [what for what, text in texts.items() if self.limit(Limit(what))[what] != text]
        if changed:
            self._resize(texts)
            self._wait(lambda: all(self._kernel(what) != before[what] for what in changed), "the old limit")

    def limit_cpu(self, quota_us: int, period_us: int) -> None:
        """Let it use such a share of a core; the period is the kubelet's."""
        wanted = quota_us / period_us
        self._resize({"cpu": f"{max(1, round(1e3 * wanted))}m"})
        self._wait(lambda: abs((self.cpu_share() or 0.0) - wanted) < 0.04 * wanted, f"a limit of {wanted:g} cores")

    def limit_memory(self, limit_bytes: int) -> None:
        """Let it use so much memory."""
        self._resize({"memory": str(limit_bytes)})
        self._wait(lambda: self._kernel("memory") == str(limit_bytes // 4096 * 4096), f"a limit of {limit_bytes} bytes")

    def memory(self) -> MemoryUse:
        """As of any group, but `hits` counts pages that the kernel freed and that were wanted back soon.

        The pod's own group has the same limit and is what hits it; nothing in a container tells of that.
        """
        stat = self._pairs("memory/memory.stat")
        refaults = next((stat[name] for name in _REFAULTS if name in stat), 0)
        use = cgroups.ControlGroup.memory(self)
        return dataclasses.replace(use, hits=use.hits + refaults)

    def limit_writes(self, device: str, writes_per_s: int = 0, bytes_per_s: int = 0) -> None:
        """DeploymentError: a pod has no such limit."""
        msg = f"Kubernetes has no limit of disk writes for pod {self.pod}"
        raise DeploymentError(msg)

    def _resize(self, limits: Mapping[str, str]) -> None:
        row = {"name": CONTAINER, "resources": {"limits": dict(limits)}}
        # a strategic merge: containers are told apart by their names
        self.deployment.api.merge(f"{self._path_of_pod()}/resize", {"spec": {"containers": [row]}})

    def _wait(self, done: Any, what: str) -> None:
        try:
            clock.wait_until(done, timeout_s=HOLDS_WITHIN_S, what=f"{what} to hold for pod {self.pod}", every_s=0.1)
        except TimeoutError as error:
            msg = f"{error}; {self._why_not_yet()}"
            raise DeploymentError(msg) from error

    def _why_not_yet(self) -> str:
        found = self.deployment.api.get(self._path_of_pod()) or {"status": {}}
        said = [
            f"{row['type']}: {row.get('message') or row.get('reason', '')}"
            for row in found["status"].get("conditions") or ()
            if row["type"] in ("PodResizePending", "PodResizeInProgress")
        ]
        return "; ".join(said) or "the kubelet says nothing of it"

    def _kernel(self, what: str) -> str:
        """The text of the file that the kernel has a limit in."""
        return self._read(self.files(Limit(what))[-1 if what == Limit.CPU else 0]).strip()

    def _path_of_pod(self) -> str:
        return path_of("v1", "pods", self.deployment.namespace, self.pod)

    def _texts(self, name: str) -> Mapping[str, str]:
        found: Any = self.deployment.ask(self.service, "group", files=[name])
        return dict(found)

    def _read(self, name: str) -> str:
        found = self._texts(name)
        if name not in found:
            msg = f"the container of {self.service!r} has no {name} in its control group"
            raise DeploymentError(msg)
        return found[name]


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(row for row in pod["spec"]["containers"] if row["name"] == CONTAINER)
