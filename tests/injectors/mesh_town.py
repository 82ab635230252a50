"""Where the injector chaos_mesh is tried: pods of two services, in memory, at a real API server, or all of it real.

`ANOMOD_KUBE_API` names the kubeconfig of a real API server for tests: CRDs of ours are put in, and our controller plays
Chaos Mesh, and the kubelet where no node is. With `ANOMOD_CHAOS_MESH=1` KUBECONFIG leads to a cluster that has a real
Chaos Mesh; nothing is played there, and `ANOMOD_TRIAL_IMAGE` must be an image with Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid

import pytest
from kubernetes import client
from mesh_controller import INSIDE, KINDS, Controller, pod_body

from pytest_anomod.host import cluster
from pytest_anomod.injectors.chaos_mesh.api import Mesh
from pytest_anomod.injectors.chaos_mesh.resources import GROUP, VERSION, plural
from pytest_anomod.model import clock
from pytest_anomod.model.capability import Pods, PodsOf
from pytest_anomod.testing.deployment import fake_deployment

SERVICES = ("gateway", "app")
MODES = ("memory", "api", "live")
API = os.environ.get("ANOMOD_KUBE_API") or (
    os.environ.get("KUBECONFIG", "") if os.environ.get("ANOMOD_KUBERNETES_TESTS") else ""
)
"""The kubeconfig of a real API server for tests; "" for none. `tox run -e kubernetes` has one."""
REAL = {"api": bool(API), "live": os.environ.get("ANOMOD_CHAOS_MESH") == "1"}


class _Found:
    def __init__(self, found: PodsOf) -> None:
        self._found = found

    def where(self) -> PodsOf:
        return self._found


class Town:
    """Two services with a pod each in a namespace of their own, and who plays Chaos Mesh there."""

    def __init__(self, mode: str, where, directory, version=None, replaceable=True, **plays) -> None:
        """With `replaceable=False` the pods are somebody else's, who does not allow kill_service."""
        self.mode, self.where, self.replaceable = mode, where, replaceable
        self.api = cluster.connect(where)
        self.core = client.CoreV1Api(self.api)
        self.namespace = f"anomod-test-{uuid.uuid4().hex[:6]}"
        self.core.create_namespace({"metadata": {"name": self.namespace}})
        self.mesh = Mesh(where, self.namespace)
        if mode == "live":
            self._deploy()
        else:
            if mode == "api":
                self._make_account()
            for app in SERVICES:
                self.core.create_namespaced_pod(self.namespace, pod_body(app))
            self.controller = Controller(self.api, self.namespace, version=version, **plays)
            self.controller.start()
        self.deployment = self._deployment(directory)
        clock.wait_until(self.all_ready, timeout_s=60, what="pods to be ready")

    def _make_account(self) -> None:
        """Pods want one; where no controller makes it, we do."""
        with contextlib.suppress(client.ApiException):
            self.core.create_namespaced_service_account(self.namespace, {"metadata": {"name": "default"}})

    def _deploy(self) -> None:
        apps = client.AppsV1Api(self.api)
        for app in SERVICES:
            pod = pod_body(app)
            del pod["spec"]["schedulerName"]
            (container,) = pod["spec"]["containers"]
            container |= {
                "image": os.environ["ANOMOD_TRIAL_IMAGE"],
                "command": ["python3", "-m", "http.server", "8080"],
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
            }
            labels = pod["metadata"]["labels"]
            spec = {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod["spec"]},
            }
            apps.create_namespaced_deployment(self.namespace, {"metadata": {"name": app}, "spec": spec})

    def _deployment(self, directory):
        made = fake_deployment(directory)
        made.ref = {**made.ref, "runtime": "fake"}
        made.offers[Pods] = lambda service: _Found(self.pods_of(service))
        made.answers = lambda service, timeout_s=0.5: bool(self.ready(service))
        return made

    def pods_of(self, service: str) -> PodsOf:
        labels = {"app": service, "deployment": "d1"}
        return PodsOf(
            place=self.where,
            namespace=self.namespace,
            labels=labels,
            container="main",
            port=8080,
            replaceable=self.replaceable,
        )

    def pods(self, service: str) -> list[dict]:
        return [one for one in self.mesh.pods({"app": service}) if "deletionTimestamp" not in one["metadata"]]

    def ready(self, service: str) -> list[dict]:
        return [
            pod
            for pod in self.pods(service)
            for one in pod.get("status", {}).get("conditions") or ()
            if one["type"] == "Ready" and one["status"] == "True"
        ]

    def all_ready(self) -> bool:
        return all(self.ready(app) for app in SERVICES)

    def inside(self, service: str) -> list[str]:
        """Actions that are in the pods of a service, as our controller notes them."""
        texts = [(pod["metadata"].get("annotations") or {}).get(INSIDE, "[]") for pod in self.pods(service)]
        return [action for text in texts for _, action in json.loads(text)]

    def resources(self) -> list[str]:
        """All resources of Chaos Mesh in the namespace."""
        return [f"{kind} {name}" for kind in KINDS for name in self.mesh.named(kind, {})]

    def execute(self, where, namespace, pod, container, argv, timeout_s) -> tuple[int, str]:
        """What a container would say to a look from inside, with what is in it."""
        service = next(app for app in SERVICES if pod.startswith(app))
        actions, script = self.inside(service), argv[2]
        if "cpu.stat" in script:
            self.periods = getattr(self, "periods", 0) + 5
            held = self.periods if "StressChaos cpu" in actions else 0
            return 0, f"nr_periods {self.periods}\nnr_throttled {held}\n"
        if "memory.current" in script:
            return 0, f"{(220 if 'StressChaos memory' in actions else 64) << 20}\n{256 << 20}\n"
        if "getent" in script:
            names = re.findall(r"for n in (.*?);", script)[0].split()
            gone = names[:1] if "DNSChaos error" in actions else []
            return 0, "".join(f"resolved {name}\n" for name in names if name not in gone)
        if "try()" in script:
            names = re.findall(r"echo reached (\S+);", script)
            gone = names[:1] if "NetworkChaos partition" in actions else []
            return 0, "".join(f"reached {name}\n" for name in names if name not in gone)
        if "IOChaos latency" in actions:
            clock.sleep(0.1)
        return 0, ""

    def close(self) -> None:
        if self.mode != "live":
            self.controller.stop()
        for kind in KINDS:
            for name in self.mesh.named(kind, {}):
                self.mesh.cure(kind, name)
        self.core.delete_namespace(self.namespace)


def crds() -> list[dict]:
    """Definitions of our own for the kinds, as loose as they can be."""
    made = []
    for kind in KINDS:
        free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}}
        version = {"name": VERSION, "served": True, "storage": True, "schema": schema}
        names = {"kind": kind, "plural": plural(kind), "singular": kind.lower(), "listKind": f"{kind}List"}
        spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]}
        made.append(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural(kind)}.{GROUP}"},
                "spec": spec,
            }
        )
    return made


POLICY = {
    "metadata": {"name": "anomod-chaos-mesh-spec"},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["*"]}
            ]
        },
        "validations": [{"expression": "object.spec == oldObject.spec", "message": "Cannot update chaos spec"}],
    },
}
"""In the place of the product's webhook."""


def install(where) -> None:
    """Put our definitions into a real API server, and wait until they are served."""
    api = cluster.connect(where)
    definitions = client.ApiextensionsV1Api(api)
    there = {one.metadata.name for one in definitions.list_custom_resource_definition().items}
    for body in crds():
        if body["metadata"]["name"] not in there:
            definitions.create_custom_resource_definition(body)
    admission = client.AdmissionregistrationV1Api(api)
    if POLICY["metadata"]["name"] not in [
        one.metadata.name for one in admission.list_validating_admission_policy().items
    ]:
        admission.create_validating_admission_policy(POLICY)
        binding = {"policyName": POLICY["metadata"]["name"], "validationActions": ["Deny"]}
        admission.create_validating_admission_policy_binding({"metadata": POLICY["metadata"], "spec": binding})
    served = Mesh(where, "default")
    clock.wait_until(lambda: set(KINDS) <= served.kinds(), timeout_s=30, what="the definitions to be served")


def modes() -> list:
    """The ways in which a test runs here."""
    skip = {mode: pytest.mark.skip(reason=f"no {mode}: see tests/injectors/mesh_town.py") for mode in REAL}
    return [pytest.param(mode, marks=() if REAL.get(mode, True) else skip[mode]) for mode in MODES]
