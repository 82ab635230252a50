"""Which faults Chaos Mesh can do on a cluster's nodes: each kind and action is tried once, on a pod of ours.

Chaos Mesh does not report a fault that can't be injected there (a kernel without netem, a missing helper program): the
resource goes on trying, hangs in its deletion and spoils the pod. So it is tried where it does no harm, and remembered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_anomod.host import cluster
from pytest_anomod.host.locks import project_lock
from pytest_anomod.host.state import make_directory, state_root
from pytest_anomod.injectors.chaos_mesh import resources, status
from pytest_anomod.injectors.chaos_mesh.api import Mesh
from pytest_anomod.model import clock
from pytest_anomod.model.errors import DeploymentError
from pytest_anomod.model.fault import Json

IMAGE = "ANOMOD_TRIAL_IMAGE"
"""Environment variable: an image for the pod that faults are tried on, where the cluster can't have the usual one."""
PAUSE = "registry.k8s.io/pause:3.10"
VALID_S = 24 * 3_600
RUNS_S, INJECTED_S, DELETED_S = 60.0, 20.0, 10.0
"""How long the pod may take to run, the fault to be in, its resource to be gone."""
FAILED_S = 10.0
"""For how long it may say that it failed: it tries again."""
OLD_S = 600.0
"""What is left of a trial after so long belongs to nobody who lives."""
_LABEL = "pytest-anomod/trial"
_FORMS: Mapping[str, tuple[str, Mapping[str, Json]]] = {
    "DNSChaos error": ("DNSChaos", {"action": "error", "patterns": ["anomod-trial*"]}),
    "HTTPChaos delay": ("HTTPChaos", {"target": "Request", "port": 80, "path": "/*", "delay": "1ms"}),
    "HTTPChaos replace": ("HTTPChaos", {"target": "Response", "port": 80, "path": "/*", "replace": {"code": 503}}),
    "IOChaos latency": ("IOChaos", {"action": "latency", "volumePath": "/trial", "delay": "1ms", "percent": 100}),
    "NetworkChaos bandwidth": (
        "NetworkChaos",
        {"action": "bandwidth", "bandwidth": {"rate": "1gbps", "limit": 20_971_520, "buffer": 10_000}},
    ),
    "NetworkChaos delay": ("NetworkChaos", {"action": "delay", "delay": {"latency": "1ms"}}),
    "NetworkChaos loss": ("NetworkChaos", {"action": "loss", "loss": {"loss": "1", "correlation": "0"}}),
    "NetworkChaos partition": ("NetworkChaos", {"action": "partition", "direction": "to"}),
    "PodChaos pod-failure": ("PodChaos", {"action": "pod-failure"}),
    "PodChaos pod-kill": ("PodChaos", {"action": "pod-kill"}),
    "StressChaos cpu": ("StressChaos", {"stressors": {"cpu": {"workers": 1, "load": 1}}}),
    "StressChaos memory": ("StressChaos", {"stressors": {"memory": {"workers": 1, "size": "1MB"}}}),
}


def refusal(where: Mapping[str, Json], action: str) -> str:
    """Why Chaos Mesh can't do an action in this cluster; "" when it can. Tried unless it was within a day."""
    known = make_directory(state_root() / "chaos_mesh") / f"{_cluster(where)}.json"
    with project_lock(f"chaos-mesh-{known.stem}", f"trial of {action}"):
        found = _remembered(known)
        if action not in found:
            found[action] = {"why": trial(where, action), "at_s": clock.now_ns() / clock.NS_PER_S}
            known.write_text(json.dumps(found), encoding="utf-8")
    why = found[action]["why"]
    return f"Chaos Mesh can't do {action} on this cluster, as a trial showed: {why}" if why else ""


def trial(where: Mapping[str, Json], action: str) -> str:
    """Why an action can't be done, or comes to no end; "" when it was in and out again. Nothing of it is left."""
    if action not in _FORMS:
        return ""  # of a third party: it is seen in the case itself
    with contextlib.suppress(DeploymentError):  # what others left is in nobody's way
        _sweep(where)
    kind, what = _FORMS[action]
    name = f"anomod-trial-{uuid.uuid4().hex[:8]}"
    with _namespace(where, name) as namespace, _pod(where, namespace, name):
        mesh = Mesh(where, namespace)
        choice = {"mode": "all", "selector": {"namespaces": [namespace], "labelSelectors": {_LABEL: name}}}
        form = resources.lasting({"kind": kind, "spec": {**choice, **what}}, 300)
        try:
            mesh.create(resources.whole(form, name=name, namespace=namespace, labels={_LABEL: name}))
            return _watch(mesh, kind, name)
        finally:
            mesh.cure(kind, name)


def clean() -> list[str]:
    """Remove what killed trials left in the cluster, if this user has had any; lines for `anomod clean`."""
    if not (state_root() / "chaos_mesh").is_dir():
        return []
    try:
        return [f"removed trial {name} from the cluster" for name in _sweep(cluster.place())]
    except (DeploymentError, ImportError) as error:
        return [f"not removed, if there is any: what killed trials left in the cluster: {error}"]


def _sweep(where: Mapping[str, Json]) -> list[str]:
    """Remove what trials left whose process was killed: in the namespace that is ours to use, or their own ones.

    Their names; DeploymentError when they can't be looked for, or not removed.
    """
    from kubernetes import client

    core: Any = client.CoreV1Api(cluster.connect(where))
    given = str(where.get("namespace", ""))
    with cluster.translated("old trials can't be looked for"):
        listed = (
            core.list_namespaced_pod(given, label_selector=_LABEL)
            if given
            else core.list_namespace(label_selector=_LABEL)
        )
    old = [one.metadata for one in listed.items if _age_s(one.metadata) > OLD_S]
    for metadata in old:
        name = metadata.labels[_LABEL]
        mesh = Mesh(where, given or metadata.name)
        for kind in sorted({kind for kind, _ in _FORMS.values()}):
            mesh.cure(kind, name)
        mesh.delete_pods({_LABEL: name})
        if not given:
            _delete_namespace(core, metadata.name)
    return [metadata.labels[_LABEL] for metadata in old]


def _age_s(metadata: Any) -> float:
    return clock.now_ns() / clock.NS_PER_S - float(metadata.creation_timestamp.timestamp())


def _delete_namespace(core: Any, name: str) -> None:
    """One that is gone or going is fine."""
    from kubernetes.client import ApiException

    with cluster.translated(f"namespace {name} was not deleted"):
        try:
            core.delete_namespace(name)
        except ApiException as error:
            if error.status not in (404, 409):
                raise


def _watch(mesh: Mesh, kind: str, name: str) -> str:
    """Wait for a resource to be injected, then delete it and wait for its end; why not, or ""."""
    found = status.await_word(lambda: mesh.get(kind, name), timeout_s=INJECTED_S, failed_s=FAILED_S)
    if not status.is_injected(found):
        return status.last_failure(found) or f"it is not in within {INJECTED_S:g} s, and says nothing"
    mesh.delete(kind, name)
    if not _within(DELETED_S, lambda: mesh.get(kind, name) is None):
        return f"its resource hangs in its deletion for more than {DELETED_S:g} s"
    return ""


@contextlib.contextmanager
def _namespace(where: Mapping[str, Json], name: str) -> Iterator[str]:
    """The namespace that is ours to use, or one of our own for the time being."""
    if where.get("namespace"):
        yield str(where["namespace"])
        return
    from kubernetes import client

    core: Any = client.CoreV1Api(cluster.connect(where))
    with cluster.translated(f"namespace {name} was not made (set {cluster.NAMESPACE} to one that is there)"):
        core.create_namespace({"metadata": {"name": name, "labels": {_LABEL: name}}})
    try:
        yield name
    finally:
        _delete_namespace(core, name)


@contextlib.contextmanager
def _pod(where: Mapping[str, Json], namespace: str, name: str) -> Iterator[None]:
    """A pod that does nothing, running."""
    from kubernetes import client

    core: Any = client.CoreV1Api(cluster.connect(where))
    container = {
        "name": "trial",
        "image": os.environ.get(IMAGE) or PAUSE,
        "imagePullPolicy": "IfNotPresent",
        "volumeMounts": [{"name": "trial", "mountPath": "/trial"}],
        "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}},
    }
    spec = {"containers": [container], "volumes": [{"name": "trial", "emptyDir": {}}], "restartPolicy": "Always"}
    body = {"metadata": {"name": name, "labels": {_LABEL: name}}, "spec": {**spec, "terminationGracePeriodSeconds": 0}}
    with cluster.translated(f"pod {name} was not made"):
        core.create_namespaced_pod(namespace, body)
    try:
        if not _within(RUNS_S, lambda: _runs(Mesh(where, namespace), name)):
            msg = f"the pod for trials does not run within {RUNS_S:g} s; set {IMAGE} to an image that the cluster has"
            raise DeploymentError(msg)
        yield
    finally:
        Mesh(where, namespace).delete_pods({_LABEL: name})


def _runs(mesh: Mesh, name: str) -> bool:
    return any(pod.get("status", {}).get("phase") == "Running" for pod in mesh.pods({_LABEL: name}))


def _within(seconds: float, condition: Any) -> bool:
    try:
        clock.wait_until(condition, timeout_s=seconds, what="", every_s=0.2)
    except TimeoutError:
        return False
    return True


def _remembered(known: Any) -> dict[str, Any]:
    try:
        found = json.loads(known.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    now_s = clock.now_ns() / clock.NS_PER_S
    return {action: told for action, told in found.items() if now_s - told["at_s"] < VALID_S}


def _cluster(where: Mapping[str, Json]) -> str:
    """A name for the cluster behind a place, in letters and digits."""
    settings = cluster.connect(where).configuration
    return hashlib.sha256(f"{settings.host} {where['context']}".encode()).hexdigest()[:16]
