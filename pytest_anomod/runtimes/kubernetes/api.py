"""The few calls to the API server that the runtime makes, on plain JSON; objects of ours carry our labels."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_anomod.host import cluster
from pytest_anomod.model.fault import Json

if TYPE_CHECKING:
    import requests
    from requests import Response

OWNER = "pytest-anomod/owner"
"""Annotation of namespaces and objects of ours: the tag of the session's owner, as on processes."""
DEPLOYMENT, SERVICE, SYSTEM = "pytest-anomod/deployment", "pytest-anomod/service", "pytest-anomod/system"
"""Labels of objects of ours."""
PODS = "pods.json"
"""What a watcher of ours (watcher.py) has last seen, in a deployment's undo directory."""
_PATCHES = {"PATCH": "application/merge-patch+json", "MERGE": "application/strategic-merge-patch+json"}
KINDS = (("apps/v1", "deployments"), ("v1", "services"), ("v1", "secrets"), ("v1", "configmaps"))
"""What the deployment of a replica is made of, and what of ours is beside manifests; pods go with their workload."""
QUIET_S = 30.0


class Api:
    """One cluster, by its place (host/cluster.py). Methods raise DeploymentError in one line."""

    def __init__(self, place: Mapping[str, Json], answer_s: float = cluster.ANSWER_S) -> None:
        self.place = place
        self.answer_s = answer_s

    def get(self, path: str, **query: str) -> Any:
        """An object, or a list of them; None when there is none of that name."""
        return self._call("GET", path, query=query)

    def create(self, path: str, value: Mapping[str, Any]) -> Any:
        """Create an object in the collection at a path; one of that name that is there is an error."""
        return self._call("POST", path, value)

    def patch(self, path: str, value: Mapping[str, Any]) -> Any:
        """Merge a value into an object."""
        return self._call("PATCH", path, value)

    def merge(self, path: str, value: Mapping[str, Any]) -> Any:
        """The same, where rows of lists are told apart by their names."""
        return self._call("MERGE", path, value)

    def delete(self, path: str, *, grace_s: int | None = None, **query: str) -> Any:
        """Delete an object, or a collection by its labels; None when it was gone."""
        options: dict[str, Any] = {"propagationPolicy": "Background"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        return self._call("DELETE", path, options, query=query)

    def stream(self, path: str, quiet_s: float = QUIET_S, /, **query: str) -> Response:
        """The open answer to a request that goes on: a watch, or the log of a container that is followed.

        Reading it fails after so many seconds without a byte: what lies in between may have dropped the connection.
        """
        with cluster.translated(f"GET {path}"):
            return self._send("GET", path, None, query, quiet_s=quiet_s)

    def _call(
        self, verb: str, path: str, value: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Any:
        from kubernetes.client import ApiException

        with cluster.translated(f"{verb} {path}"):
            try:
                return self._send(verb, path, value, query or {}).json()
            except ApiException as error:
                if error.status == 404 and verb in ("GET", "DELETE"):
                    return None
                raise

    def _send(
        self,
        verb: str,
        path: str,
        value: Mapping[str, Any] | None,
        query: Mapping[str, str],
        *,
        quiet_s: float = 0.0,
    ) -> Response:
        from kubernetes.client import ApiException

        settings = cluster.connect(self.place).configuration
        kind = _PATCHES.get(verb, "application/json")
        headers = {"Content-Type": kind, "Accept": "application/json, */*"}
        for setting in settings.auth_settings().values():
            headers[setting["key"]] = setting["value"]
        answer = _session(self.place["kubeconfig"], self.place["context"]).request(
            "PATCH" if verb in _PATCHES else verb,
            settings.host + path,
            params=dict(query),
            headers=headers,
            data=None if value is None else json.dumps(value),
            timeout=(min(10.0, self.answer_s), quiet_s or self.answer_s),
            stream=bool(quiet_s),
        )
        if answer.status_code >= 400:
            error = ApiException(status=answer.status_code, reason=answer.reason)
            error.body = answer.text
            raise error
        return answer


@functools.cache
def _session(kubeconfig: str, context: str) -> requests.Session:
    """Connections to the cluster of a place, with the certificates of its kubeconfig; shared by all threads."""
    import requests

    settings = cluster.connect({"kubeconfig": kubeconfig, "context": context}).configuration
    session = requests.Session()
    session.trust_env = False
    session.verify = settings.ssl_ca_cert or bool(settings.verify_ssl)
    if settings.cert_file:
        session.cert = (settings.cert_file, settings.key_file)
    if settings.proxy:
        session.proxies = {"https": settings.proxy, "http": settings.proxy}
    adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=64)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def service_of(pod: Mapping[str, Any], services: Mapping[str, Mapping[str, Any]]) -> str:
    """The service whose `labels` a pod has; "" for a pod of none of them."""
    has = (pod["metadata"].get("labels") or {}).items()
    return next((name for name, row in services.items() if row["labels"].items() <= has), "")


def shared_selector(services: Mapping[str, Mapping[str, Any]]) -> str:
    """What chooses no fewer pods than those of all services: the labels that they share."""
    rows = [set(row["labels"].items()) for row in services.values()]
    return ",".join(f"{key}={value}" for key, value in sorted(set.intersection(*rows))) if rows else ""


def path_of(version: str, kind: str, namespace: str, name: str = "") -> str:
    """Path of a collection in a namespace, or of an object in it: path_of("apps/v1", "deployments", "shop")."""
    root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    return f"{root}/namespaces/{namespace}/{kind}" + (f"/{quote(name)}" if name else "")
