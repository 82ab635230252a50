"""A controller that keeps Chaos Mesh's recorded contract: conditions, records, finalizers, and deletion that hangs.

It does nothing to anybody's network: what would be in a pod stands in that pod's annotation, and goes with it. Where no
kubelet runs it plays one too: pods that are made run, and those that are gone come again under another name.

Recorded of a real one (2.8): a fault that can't be put in has AllInjected False and a Failed event, goes on trying,
hangs in its deletion, and spoils later faults of the same pod: PodNetworkChaos and its like hold what is in it.
"""

from __future__ import annotations

import contextlib
import json
import threading
import uuid

from kubernetes import client
from kubernetes.client import ApiException

from pytest_anomod.injectors.chaos_mesh.resources import GROUP, VERSION, action_of, key_of, plural
from pytest_anomod.model import clock

KINDS = (
    *("DNSChaos", "HTTPChaos", "IOChaos", "NetworkChaos", "PodChaos", "Schedule", "StressChaos"),
    *("PodHttpChaos", "PodIOChaos", "PodNetworkChaos"),
)
FINALIZER = "chaos-mesh/records"
INSIDE = "anomod-tests/inside"
"""Annotation of a pod: what is in it, as a list of [resource, action]."""
KEEPS = {"NetworkChaos": "PodNetworkChaos", "HTTPChaos": "PodHttpChaos", "IOChaos": "PodIOChaos"}
NO_NETEM = "unable to flush ip sets: Error: Specified qdisc kind is unknown.: exit status 2"


class Controller(threading.Thread):
    """Works in one namespace until `stop`; `lacks` are actions that its nodes can't do ("NetworkChaos delay")."""

    def __init__(self, api, namespace: str, *, lacks=(), leaves=(), is_kubelet=True, version=None) -> None:
        """`leaves` are actions of which something stays in the pod. `version`: there is work once it has changed."""
        super().__init__(daemon=True)
        self.lacks, self.leaves, self.is_kubelet = frozenset(lacks), frozenset(leaves), is_kubelet
        self._version, self._known = version, None
        self.namespace = namespace
        self._custom, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)
        self._wanted: set[str] = set()
        self._done: set[str] = set()
        self._ends = threading.Event()
        self._since: dict[str, float] = {}
        self.errors: list[str] = []

    def stop(self) -> None:
        self._ends.set()
        self.join()
        assert not self.errors, self.errors

    def run(self) -> None:
        while not self._ends.wait(0.03):
            now = self._version() if self._version else None
            if now is not None and now == self._known and not self._since:
                continue
            self._known = now
            try:
                self._turn()
            except ApiException as error:
                self._known = None
                if error.status not in (404, 409, 503):  # somebody else was faster: the next turn looks anew
                    self.errors.append(f"{error.status} {error.body}")
                    return

    def _turn(self) -> None:
        if self.is_kubelet:
            self._play_kubelet()
        for kind in KINDS[:7]:
            for resource in self._list(kind):
                self._reconcile(kind, resource)
        for kind in KEEPS.values():
            for resource in self._list(kind):
                if "deletionTimestamp" in resource["metadata"] and not resource["spec"].get("spoiled"):
                    self._put(kind, resource, finalizers=[])

    def _list(self, kind: str) -> list[dict]:
        return self._custom.list_namespaced_custom_object(GROUP, VERSION, self.namespace, plural(kind))["items"]

    def _reconcile(self, kind: str, resource: dict) -> None:
        name, meta = resource["metadata"]["name"], resource["metadata"]
        if "deletionTimestamp" in meta:
            if meta.get("finalizers"):
                self._recover(kind, resource)
            return
        if not meta.get("finalizers") and name not in self._done:
            self._put(kind, resource, finalizers=[FINALIZER])
            return
        if name in self._done:
            return
        if clock.monotonic_s() < self._since.get(name, 0):
            return
        self._apply(kind, resource)

    def _apply(self, kind: str, resource: dict) -> None:
        name, spec = resource["metadata"]["name"], resource["spec"]
        inner = spec[key_of(spec["type"])] if kind == "Schedule" else spec
        action = action_of({"kind": kind, "spec": spec})
        pods = self._selected(inner["selector"])
        if not pods:
            self._done.add(name)
            return self._say(kind, resource, selected=False, injected=False, records=[])
        failure = self._failure(action, pods)
        if action == "PodChaos pod-kill":
            for pod in pods:
                self._core.delete_namespaced_pod(pod["metadata"]["name"], self.namespace, grace_period_seconds=0)
            if kind == "Schedule":
                self._since[name] = clock.monotonic_s() + float(spec["schedule"].removeprefix("@every ").rstrip("s"))
                return None
        elif kind in KEEPS:
            for pod in pods:
                self._keep(kind, pod, spoiled=bool(failure))
        if not failure and action != "PodChaos pod-kill":
            for pod in pods:
                self._inside(pod["metadata"]["name"], lambda held: [*held, [name, action]])
        records = [self._record(pod, failure) for pod in pods]
        self._say(kind, resource, selected=True, injected=not failure, records=records)
        if not failure:
            self._done.add(name)
        return None

    def _failure(self, action: str, pods: list[dict]) -> str:
        if action in self.lacks:
            return NO_NETEM
        keeper = KEEPS.get(action.split()[0])
        spoiled = (
            {one["metadata"]["name"] for one in self._list(keeper) if one["spec"].get("spoiled")} if keeper else set()
        )
        met = sorted(spoiled & {pod["metadata"]["name"] for pod in pods})
        return f"pod {met[0]}: {NO_NETEM}" if met else ""

    def _recover(self, kind: str, resource: dict) -> None:
        """What was put in goes out; what could not be put in can't go out either, so the resource stays."""
        name = resource["metadata"]["name"]
        action = action_of({"kind": kind, "spec": resource["spec"]})
        injected = any(one["type"] == "AllInjected" and one["status"] == "True" for one in _conditions(resource))
        if (
            not injected
            and action in self.lacks
            and "deletionTimestamp" in resource["metadata"]
            and _conditions(resource)
        ):
            return
        for pod in self._pods() if action not in self.leaves else ():
            self._inside(pod["metadata"]["name"], lambda held: [one for one in held if one[0] != name])
        if kind in KEEPS:
            for pod in self._pods():
                with contextlib.suppress(ApiException):
                    self._ask_away(KEEPS[kind], pod["metadata"]["name"])
        self._put(kind, resource, finalizers=[])

    def _keep(self, kind: str, pod: dict, *, spoiled: bool) -> None:
        keeper, name = KEEPS[kind], pod["metadata"]["name"]
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": keeper,
            "metadata": {"name": name, "namespace": self.namespace, "finalizers": [FINALIZER]},
            "spec": {"spoiled": spoiled},
        }
        with contextlib.suppress(ApiException):
            self._custom.create_namespaced_custom_object(GROUP, VERSION, self.namespace, plural(keeper), body)

    def _ask_away(self, kind: str, name: str) -> None:
        self._custom.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, plural(kind), name)

    def _record(self, pod: dict, failure: str) -> dict:
        event = {"type": "Failed" if failure else "Succeeded", "operation": "Apply", "message": failure}
        return {
            "id": f"{self.namespace}/{pod['metadata']['name']}",
            "selectorKey": ".",
            "phase": "Not Injected" if failure else "Injected",
            "injectedCount": 0 if failure else 1,
            "recoveredCount": 0,
            "events": [event],
        }

    def _say(self, kind: str, resource: dict, *, selected: bool, injected: bool, records: list[dict]) -> None:
        words = {"Selected": selected, "AllInjected": injected, "AllRecovered": False, "Paused": False}
        status = {
            "conditions": [{"type": name, "status": str(value), "reason": ""} for name, value in words.items()],
            "experiment": {"desiredPhase": "Run", "containerRecords": records},
        }
        if resource.get("status") != status:
            self._put(kind, resource, status=status)

    def _put(self, kind: str, resource: dict, *, finalizers=None, status=None) -> None:
        """Update the whole object, as the real ones do: they have no subresource of their own for a status."""
        if finalizers is not None:
            resource["metadata"]["finalizers"] = finalizers
        if status is not None:
            resource["status"] = status
        words = (GROUP, VERSION, self.namespace, plural(kind), resource["metadata"]["name"])
        self._custom.replace_namespaced_custom_object(*words, resource)

    def _selected(self, selector: dict) -> list[dict]:
        assert selector["namespaces"] == [self.namespace]
        found = [pod for pod in self._pods() if "deletionTimestamp" not in pod["metadata"]]
        for key, value in (selector.get("labelSelectors") or {}).items():
            found = [pod for pod in found if pod["metadata"]["labels"].get(key) == value]
        for one in selector.get("expressionSelectors") or ():
            found = [pod for pod in found if pod["metadata"]["labels"].get(one["key"]) in one["values"]]
        return found

    def _pods(self) -> list[dict]:
        listed = self._core.list_namespaced_pod(self.namespace).items
        return [self._core.api_client.sanitize_for_serialization(pod) for pod in listed]

    def _inside(self, name: str, change) -> None:
        pod = self._core.read_namespaced_pod(name, self.namespace)
        held = json.loads((pod.metadata.annotations or {}).get(INSIDE, "[]"))
        if (new := change(held)) != held:
            pod.metadata.annotations = {**(pod.metadata.annotations or {}), INSIDE: json.dumps(new)}
            self._core.replace_namespaced_pod(name, self.namespace, pod)

    def _play_kubelet(self) -> None:
        """Pods run as soon as they are there, unless pod-failure is in them, and come again when they are gone."""
        pods = self._pods()
        for pod in pods:
            meta = pod["metadata"]
            held = json.loads((meta.get("annotations") or {}).get(INSIDE, "[]"))
            failed = any(action == "PodChaos pod-failure" for _, action in held)
            self._wanted |= {meta["labels"]["app"]} if "app" in meta["labels"] else set()
            ready = "False" if failed else "True"
            if _ready(pod) != ready and "deletionTimestamp" not in meta:
                now = clock.ns_to_iso(clock.now_ns())[:19] + "Z"
                condition = {"type": "Ready", "status": ready, "lastTransitionTime": now}
                pod["status"] = {"phase": "Running", "conditions": [condition]}
                self._core.replace_namespaced_pod_status(meta["name"], self.namespace, pod)
        for app in self._wanted - {pod["metadata"]["labels"].get("app") for pod in pods}:
            self._core.create_namespaced_pod(self.namespace, pod_body(app))


def pod_body(app: str) -> dict:
    """A pod of a service, with limits and a volume as faults want them."""
    container = {
        "name": "main",
        "image": "none",
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        "metadata": {"name": f"{app}-{uuid.uuid4().hex[:5]}", "labels": {"app": app, "deployment": "d1"}},
        # no scheduler of that name: where a node is, it leaves these pods to us
        "spec": {
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "schedulerName": "anomod-tests",
        },
    }


def _ready(pod: dict) -> str:
    conditions = pod.get("status", {}).get("conditions") or ()
    return next((one["status"] for one in conditions if one["type"] == "Ready"), "")


def _conditions(resource: dict) -> list[dict]:
    return resource.get("status", {}).get("conditions") or []
