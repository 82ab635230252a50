"""Chaos Mesh by the API server: its resources are created, read and deleted, and never changed, which it refuses.

The only change is to `metadata.finalizers` of a resource that hangs in its deletion: the known workaround.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_anomod.host import cluster
from pytest_anomod.injectors.chaos_mesh.resources import GROUP, PER_POD, VERSION, plural
from pytest_anomod.model.fault import Json

_TRIES = 5


class Mesh:
    """Chaos Mesh's resources and the pods they act on, in one namespace of a cluster; DeploymentError for any trouble.

    `where` is a place of host/cluster.py.
    """

    def __init__(self, where: Mapping[str, Json], namespace: str) -> None:
        from kubernetes import client

        self.where = where
        self.namespace = namespace
        api = cluster.connect(where)
        self._custom: Any = client.CustomObjectsApi(api)
        self._core: Any = client.CoreV1Api(api)

    def kinds(self) -> frozenset[str]:
        """The kinds that the API server serves; empty where there is no Chaos Mesh."""
        with cluster.translated("the kinds of Chaos Mesh can't be asked for"):
            found = _or_none(lambda: self._custom.get_api_resources(GROUP, VERSION))
        return frozenset(one.kind for one in found.resources) if found else frozenset()

    def create(self, body: Mapping[str, Json]) -> None:
        """Create a resource; one of that name that is there already is an error."""
        name = body["metadata"]["name"]
        with cluster.translated(f"{body['kind']} {name} was not created"):
            self._custom.create_namespaced_custom_object(
                GROUP, VERSION, self.namespace, plural(body["kind"]), dict(body)
            )

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """A resource as it is now; None when it is gone, or its kind is."""
        with cluster.translated(f"{kind} {name} can't be read"):
            words = (GROUP, VERSION, self.namespace, plural(kind), name)
            return _or_none(lambda: dict(self._custom.get_namespaced_custom_object(*words)))

    def named(self, kind: str, labels: Mapping[str, str]) -> list[str]:
        """Names of the resources of a kind with these labels."""
        with cluster.translated(f"{kind} can't be listed"):
            words = (GROUP, VERSION, self.namespace, plural(kind))
            found = _or_none(
                lambda: self._custom.list_namespaced_custom_object(*words, label_selector=selector(labels))
            )
        return [item["metadata"]["name"] for item in (found or {}).get("items", ())]

    def delete(self, kind: str, name: str) -> None:
        """Ask for a resource's deletion, which takes as long as its finalizers stay; one that is gone is fine."""
        with cluster.translated(f"{kind} {name} was not deleted"):
            words = (GROUP, VERSION, self.namespace, plural(kind), name)
            _or_none(lambda: self._custom.delete_namespaced_custom_object(*words))

    def cure(self, kind: str, name: str) -> None:
        """Have a resource that hangs in its deletion go, and with it what Chaos Mesh keeps of the pods it was in.

        What hangs also spoils later faults of the same pods.
        """
        hanging = self.get(kind, name)
        self.delete(kind, name)
        self._let_go(kind, name)
        for pod in _pods_in(hanging or {}):  # only now: as long as the resource is there, they are made again
            for per_pod in PER_POD:
                self.delete(per_pod, pod)
                self._let_go(per_pod, pod)

    def _let_go(self, kind: str, name: str) -> None:
        """Empty the finalizers; again where its controller wrote meanwhile."""
        from kubernetes.client import ApiException

        for left in reversed(range(_TRIES)):
            found = self.get(kind, name)
            if found is None or not found["metadata"].get("finalizers"):
                return
            found["metadata"]["finalizers"] = []
            words = (GROUP, VERSION, self.namespace, plural(kind), name)
            with cluster.translated(f"the finalizers of {kind} {name} were not emptied"):
                try:
                    _or_none(
                        lambda words=words, found=found: self._custom.replace_namespaced_custom_object(*words, found)
                    )
                except ApiException as error:
                    if error.status != 409 or not left:
                        raise

    def pods(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """The pods with these labels, as the API has them, oldest first."""
        with cluster.translated(f"the pods of {selector(labels)} can't be listed"):
            api = self._core.api_client
            found = self._core.list_namespaced_pod(self.namespace, label_selector=selector(labels))
            pods = [api.sanitize_for_serialization(pod) for pod in found.items]
        return sorted(pods, key=lambda pod: (pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]))

    def delete_pods(self, labels: Mapping[str, str]) -> None:
        """Delete the pods with these labels: what brings pods up makes new ones, without what was left in these."""
        for pod in self.pods(labels):
            name = pod["metadata"]["name"]
            with cluster.translated(f"pod {name} was not deleted"):
                _or_none(
                    lambda name=name: self._core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=0)
                )

    def execute(self, pod: str, container: str, argv: list[str], timeout_s: float) -> tuple[int, str]:
        """Run a program in a container: its exit code and what it said."""
        return cluster.execute(self.where, self.namespace, pod, container, argv, timeout_s)


def _or_none(call: Any) -> Any:
    """What a call gives; None where the thing is not there."""
    from kubernetes.client import ApiException

    try:
        return call()
    except ApiException as error:
        if error.status == 404:
            return None
        raise


def selector(labels: Mapping[str, str]) -> str:
    """Labels as the API server is asked for them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _pods_in(resource: Mapping[str, Any]) -> list[str]:
    """Names of the pods that a resource's records name, as `namespace/pod/container`."""
    records = resource.get("status", {}).get("experiment", {}).get("containerRecords") or ()
    return sorted({record["id"].split("/")[1] for record in records if "/" in record.get("id", "")})
